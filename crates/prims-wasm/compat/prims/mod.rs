//! PRIMS.
use crate::commands::Error;
use std::ffi::OsString;
pub(crate) fn serve(_: &[OsString]) -> Result<u8, Error> {
    Err(Error::Usage("not yet".into()))
}
