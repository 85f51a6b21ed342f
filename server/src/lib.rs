//! The process: the one place that knows all the parts, and the usher binary.
