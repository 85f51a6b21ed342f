//! Goal: whatever the groups of a survivor lack, what is recovered of them fits together: nobody rests on
//! what another group has lost.
//!
//! Method: a rush over four shards; then a survivor's logs are cut, each somewhere near its end, as if
//! it had not heard of the last entries of some groups, and recovered in memory.

mod backup_support;

use backup_support::{Nodes, Rush, Shop, configs, open_event};
use server::backup::cut;
use server::dice::Dice;
use server::recover::{GroupRemains, RecoverError, survey, survey_cut};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_go_back_until_they_fit_together_and_no_further_than_that() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::open().await;
    let mut files = configs(dir.path(), 3, shop.address);
    for file in &mut files {
        // All of the rush is in the logs.
        file.raft.snapshot_every_entries = 20_000;
    }
    let nodes = Nodes::found(files.clone()).await;
    let event = open_event(&nodes).await;
    let rush = Rush::begin(&nodes, &event.event, 6, 7).await;
    rush.until(15).await;
    rush.end().await;
    nodes.stop().await;
    let survivor = files[0].clone();

    let also = [files[1].data_dir.clone()];
    let needless = survey(survivor.clone(), &also).await;
    assert!(matches!(needless, Err(RecoverError::NotNeeded { .. })));
    let whole = survey(survivor.clone(), &[]).await.unwrap();
    assert!(
        whole.left.iter().all(|left| left.left_out == 0),
        "{:?}",
        whole.left
    );
    let ends: Vec<u64> = whole.left.iter().map(|left| left.last.1).collect();

    let mut dice = Dice::seeded(11);
    let mut went_back = 0;
    for round in 0..7 {
        // One group lacks much, or each lacks something.
        let lacks: Vec<usize> = (0..ends.len())
            .map(|group| match round < 4 {
                true if group == round as usize + 1 => 60,
                true => 0,
                false => dice.below(40) as usize,
            })
            .collect();
        let shorter = |group: u32, mut remains: GroupRemains| {
            let kept = remains.entries.len().saturating_sub(lacks[group as usize]);
            remains.entries.truncate(kept);
            remains.last = remains
                .entries
                .last()
                .map(|entry| entry.at)
                .or(remains.snapshot);
            remains
        };
        let found = survey_cut(survivor.clone(), &[], &shorter).await.unwrap();
        let replicas = &found.world().replicas;
        let unmet: Vec<_> = cut::unmet(replicas)
            .into_iter()
            .filter(cut::Need::is_strict)
            .collect();
        assert!(unmet.is_empty(), "{lacks:?}: {unmet:?}");
        assert_eq!(found.world().broken(), None);
        let out: Vec<u64> = found.left.iter().map(|left| left.left_out).collect();
        eprintln!(
            "lacking {lacks:?}: left out {out:?}, doubts {:?}",
            found.doubts
        );
        went_back += usize::from(out.iter().any(|out| *out > 0));
    }
    assert!(
        went_back > 1,
        "cuts through conversations were among them: {went_back}"
    );
}
