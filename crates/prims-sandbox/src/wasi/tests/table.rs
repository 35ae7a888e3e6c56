//! The functions and numbers of preview 1.

use wasmtime::{Linker, Store};
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_sync, types};

use super::harness::*;
use crate::wasi::abi::Errno;
use crate::wasi::{Wasi, add_to_linker};

/// The numbers and the signatures are those of wasmtime-wasi's own implementation.
#[test]
fn the_table_is_complete() {
    let (engine, _) = &*MODULE;
    let mut theirs: Linker<WasiP1Ctx> = Linker::new(engine);
    add_to_linker_sync(&mut theirs, |context| context).unwrap();
    let mut their_store = Store::new(engine, wasmtime_wasi::WasiCtxBuilder::new().build_p1());
    let mut ours: Linker<Wasi> = Linker::new(engine);
    add_to_linker(&mut ours, |wasi| wasi).unwrap();
    let mut our_store = Store::new(engine, Wasi::new(Host::new().spec()));
    let their_functions: Vec<_> = theirs.iter(&mut their_store).collect();
    assert_eq!(their_functions.len(), TABLE.len());
    for (module, name, function) in their_functions {
        let our_function = ours
            .get(&mut our_store, module, name)
            .unwrap_or_else(|_| panic!("no {module} {name}"));
        let theirs = function.into_func().unwrap().ty(&their_store);
        let ours = our_function.into_func().unwrap().ty(&our_store);
        assert!(
            theirs.matches(&ours) && ours.matches(&theirs),
            "{name}: {theirs} and {ours}"
        );
    }
    for (ours, theirs) in [
        (Errno::Acces, types::Errno::Acces),
        (Errno::Again, types::Errno::Again),
        (Errno::Badf, types::Errno::Badf),
        (Errno::Dquot, types::Errno::Dquot),
        (Errno::Exist, types::Errno::Exist),
        (Errno::Fault, types::Errno::Fault),
        (Errno::Fbig, types::Errno::Fbig),
        (Errno::Ilseq, types::Errno::Ilseq),
        (Errno::Inval, types::Errno::Inval),
        (Errno::Io, types::Errno::Io),
        (Errno::Isdir, types::Errno::Isdir),
        (Errno::Loop, types::Errno::Loop),
        (Errno::Mfile, types::Errno::Mfile),
        (Errno::Mlink, types::Errno::Mlink),
        (Errno::Nametoolong, types::Errno::Nametoolong),
        (Errno::Noent, types::Errno::Noent),
        (Errno::Nospc, types::Errno::Nospc),
        (Errno::Nosys, types::Errno::Nosys),
        (Errno::Notdir, types::Errno::Notdir),
        (Errno::Notempty, types::Errno::Notempty),
        (Errno::Notsock, types::Errno::Notsock),
        (Errno::Notsup, types::Errno::Notsup),
        (Errno::Overflow, types::Errno::Overflow),
        (Errno::Perm, types::Errno::Perm),
        (Errno::Rofs, types::Errno::Rofs),
        (Errno::Spipe, types::Errno::Spipe),
        (Errno::Txtbsy, types::Errno::Txtbsy),
        (Errno::Xdev, types::Errno::Xdev),
    ] {
        assert_eq!(ours as u16, theirs as u16, "{ours:?}");
    }
}
