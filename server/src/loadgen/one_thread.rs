//! A runtime of one thread for work that must leave the other cores to the servers.

/// Runs `work` on a thread of its own with a single-threaded runtime.
pub async fn on_one_thread<T, W, F>(work: W) -> T
where
    T: Send + 'static,
    W: FnOnce() -> F + Send + 'static,
    F: Future<Output = T>,
{
    let (tx, rx) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a process can have one more event queue");
        // Whoever asked may be gone; then nobody wants the answer.
        let _ = tx.send(runtime.block_on(work()));
    });
    match rx.await {
        Ok(result) => result,
        Err(_) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("the thread answers before it ends"),
        },
    }
}
