//! The numbers: how they are taken and what they mean.
