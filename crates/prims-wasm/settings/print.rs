//! Settings as text: what is effective, and the page of the documentation.

use super::table::{SECTIONS, Settings, TABLE};
use super::value::Shape;
use serde_json::{Map, Value, json};
use std::fmt::Write;

impl Settings {
    /// The effective settings in the form of the file, each with where it comes from. Passwords in URLs are left out.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for (setting, value) in self.rendered() {
            if setting.section != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                section = setting.section;
                let _ = writeln!(text, "{gap}[{section}]");
            }
            // What is not set has no form in TOML.
            let line = match value {
                Value::Null => format!("# {} =", setting.key()),
                value => format!("{} = {value}", setting.key()),
            };
            let _ = writeln!(text, "{line:<40} # {}", self.origins[setting.flag]);
        }
        text
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        let mut settings = Map::new();
        for (setting, value) in self.rendered() {
            let entry = json!({
                "value": value,
                "source": self.origins[setting.flag].to_string(),
                "flag": format!("--{}", setting.flag),
                "variable": setting.variable(),
            });
            settings.insert(setting.path(), entry);
        }
        Value::Object(settings)
    }
}

/// The page about settings, `docs/settings.md`.
pub fn document() -> String {
    let mut text = String::from(INTRODUCTION);
    for (section, about) in SECTIONS {
        let _ = write!(text, "\n## `[{section}]`\n\n{}\n\n", about.trim());
        text += "| key | flag | variable | default | meaning |\n|---|---|---|---|---|\n";
        for row in TABLE.iter().filter(|row| row.section == *section) {
            let default = match (row.shape, row.default) {
                (Shape::Many, "") => "empty".to_owned(),
                (_, "") => "not set".to_owned(),
                (_, default) => format!("`{default}`"),
            };
            let _ = writeln!(
                text,
                "| `{}` | `--{}` | `{}` | {default} | {} |",
                row.key(),
                row.flag,
                row.variable(),
                row.help
            );
        }
    }
    text
}

const INTRODUCTION: &str = "# Settings

Every setting can be given as a flag, as an environment variable, or in a TOML file; the first of these counts, else the default. The file is the one that
`--config` or `PRIMS_CONFIG` names, else `prims-wasm/config.toml` in the user's configuration folder (`~/.config`). A key of the file that means nothing is an error.
`prims-wasm config` prints what is effective in the form of the file, with the origin of each value; `prims-wasm config --json` prints it for programs.

```toml
[limits]
timeout = \"10s\"

[packages]
deps = [\"numpy\", \"pandas>=2,<3\"]
```

Times are numbers with `ms`, `s`, `m` or `h`, sizes with `k`, `m` or `g` (powers of 1024). Lists are separated by commas, and are arrays in the file; a flag for a list
may be repeated. This page is written from the table in the program.
";
