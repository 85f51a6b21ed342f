//! The same entries give the same state: digests of replicas at equal index are equal, and once
//! settled all replicas are at one index.

use super::Evidence;

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let differs = |(shard, replicas): (&u16, &Vec<(u64, [u8; 32])>)| {
        let agree = replicas.windows(2).all(|pair| pair[0] == pair[1]);
        (!agree).then(|| {
            let short: Vec<_> = replicas
                .iter()
                .map(|(applied, digest)| format!("{applied}:{:02x}{:02x}", digest[0], digest[1]))
                .collect();
            format!("shard {shard}: {short:?}")
        })
    };
    evidence.digests.iter().filter_map(differs).collect()
}
