//! `prims-wasm config`: which settings are effective, and why.

use super::Error;
use crate::arguments::Config;
use crate::console;
use crate::settings::Settings;

pub(super) fn config(arguments: &Config) -> Result<u8, Error> {
    let settings = Settings::load(&arguments.settings)?;
    console::out(&if arguments.json {
        format!("{:#}\n", settings.to_json())
    } else {
        settings.to_toml()
    });
    Ok(0)
}
