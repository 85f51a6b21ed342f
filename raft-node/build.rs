//! Generates the peer protocol with a compiler written in Rust: no `protoc` to install.

use std::error::Error;
use std::path::PathBuf;

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let files = ["proto/peer.proto"];
    let includes = ["proto"];
    println!("cargo:rerun-if-changed=proto");
    let descriptors = PathBuf::from(std::env::var("OUT_DIR")?).join("peer.bin");
    std::fs::write(
        &descriptors,
        protox::compile(files, includes)?.encode_to_vec(),
    )?;
    tonic_build::configure()
        .bytes(["."])
        .file_descriptor_set_path(&descriptors)
        .skip_protoc_run()
        .compile_protos(&files, &includes)?;
    Ok(())
}
