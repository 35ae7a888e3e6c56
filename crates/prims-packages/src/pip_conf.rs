//! pip's configuration files, as far as they say which index is asked.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Larger files are not configuration.
const MAX_FILE: u64 = 1 << 20;

/// The options of `[global]` that matter here.
#[derive(Debug, Default)]
pub(crate) struct PipConf {
    pub(crate) index_url: Option<String>,
    pub(crate) extra_index_url: Option<String>,
    pub(crate) cert: Option<String>,
}

impl PipConf {
    /// Reads what there is: the system's file, the user's, then the one that is named. Later ones win.
    pub(crate) fn load(get: &impl Fn(&str) -> Option<OsString>) -> PipConf {
        let mut conf = PipConf::default();
        let named = get("PIP_CONFIG_FILE").map(PathBuf::from);
        // pip's way to say that none is to be read.
        if named.as_deref() == Some(Path::new("/dev/null")) {
            return conf;
        }
        let home = get("HOME").map(PathBuf::from);
        let config = get("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(home.as_ref()?.join(".config")));
        let files = [
            Some("/etc/pip.conf".into()),
            home.map(|home| home.join(".pip/pip.conf")),
            config.map(|config| config.join("pip/pip.conf")),
            named,
        ];
        for path in files.into_iter().flatten() {
            let is_plain = std::fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() <= MAX_FILE);
            if let Some(text) = is_plain.then(|| std::fs::read_to_string(&path).ok()).flatten() {
                conf.read(&text);
            }
        }
        for slot in [&mut conf.index_url, &mut conf.extra_index_url, &mut conf.cert] {
            *slot = slot.take().filter(|value| !value.is_empty());
        }
        conf
    }

    fn read(&mut self, text: &str) {
        let (mut is_global, mut option) = (false, None);
        for line in text.lines() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with([' ', '\t']) {
                // Goes on with the value before.
                if let Some(value) = option.as_ref().and_then(|name: &String| self.option(name)) {
                    value.push(' ');
                    value.push_str(trimmed);
                }
                continue;
            }
            option = None;
            if let Some(section) = trimmed.strip_prefix('[') {
                is_global = section.trim_end_matches(']').trim() == "global";
            } else if let Some((name, value)) = trimmed.split_once(['=', ':']).filter(|_| is_global) {
                let name = name.trim().to_ascii_lowercase().replace('_', "-");
                if let Some(slot) = self.option(&name) {
                    *slot = value.trim().to_owned();
                    option = Some(name);
                }
            }
        }
    }

    fn option(&mut self, name: &str) -> Option<&mut String> {
        let slot = match name {
            "index-url" => &mut self.index_url,
            "extra-index-url" => &mut self.extra_index_url,
            "cert" => &mut self.cert,
            _ => return None,
        };
        Some(slot.get_or_insert_default())
    }
}
