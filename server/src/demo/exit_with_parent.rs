//! A child that must not outlive its parent watches its standard input: the parent holds the
//! other end open, and the system closes it however the parent dies.

use std::io::Read as _;

/// Resolves when the standard input ends.
pub async fn parent_gone() {
    let (tx, rx) = tokio::sync::oneshot::channel();
    // A thread, because nothing else can wait for a pipe without holding the runtime open at exit.
    std::thread::spawn(move || {
        let mut scrap = [0; 64];
        while std::io::stdin()
            .read(&mut scrap)
            .is_ok_and(|count| count > 0)
        {}
        // Nobody waits any more: the process is on its way out already.
        let _ = tx.send(());
    });
    let _ = rx.await;
}
