//! A lock as text for people.

use crate::catalog::{Lock, LockedWheel};
use crate::name::Name;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;

/// Deepest branch that is drawn; what lies deeper is shown elsewhere or not at all.
const MAX_DEPTH: usize = 100;

pub(super) fn tree(lock: &Lock) -> String {
    let wheels = by_name(lock);
    let (mut text, mut shown) = (String::new(), BTreeSet::new());
    for root in &lock.roots {
        if let Some(wheel) = wheels.get(root) {
            branch(&wheels, wheel, "", "", &mut shown, &mut text);
        }
    }
    text
}

fn branch<'l>(
    wheels: &BTreeMap<&'l Name, &'l LockedWheel>,
    wheel: &'l LockedWheel,
    lead: &str,
    lead_below: &str,
    shown: &mut BTreeSet<&'l Name>,
    text: &mut String,
) {
    let is_new = shown.insert(&wheel.name);
    let below: Vec<&&LockedWheel> = wheel.dependencies.iter().filter_map(|name| wheels.get(name)).collect();
    let again = if is_new || below.is_empty() { "" } else { " (*)" };
    let _ = writeln!(text, "{lead}{} v{}{again}", wheel.name, wheel.version);
    if !is_new || lead_below.chars().count() > 4 * MAX_DEPTH {
        return;
    }
    for (index, dependency) in below.iter().enumerate() {
        let (fork, bar) = if index + 1 == below.len() {
            ("└── ", "    ")
        } else {
            ("├── ", "│   ")
        };
        let (lead, lead_below) = (format!("{lead_below}{fork}"), format!("{lead_below}{bar}"));
        branch(wheels, dependency, &lead, &lead_below, shown, text);
    }
}

pub(super) fn why(lock: &Lock, name: &Name) -> Option<String> {
    let wheels = by_name(lock);
    let version = |name: &Name| {
        wheels
            .get(name)
            .map_or_else(String::new, |wheel| format!("{name} v{}", wheel.version))
    };
    wheels.get(name)?;
    let mut text = String::new();
    for root in &lock.roots {
        let Some(path) = path(&wheels, root, name) else {
            continue;
        };
        let path: Vec<String> = path.into_iter().map(version).collect();
        let asked = if path.len() == 1 { " (asked for)" } else { "" };
        let _ = writeln!(text, "{}{asked}", path.join(" → "));
    }
    Some(text)
}

/// The shortest way from one package to another; of equally short ones the first by name.
fn path<'l>(wheels: &BTreeMap<&'l Name, &'l LockedWheel>, from: &'l Name, to: &Name) -> Option<Vec<&'l Name>> {
    let mut before: BTreeMap<&Name, Option<&Name>> = BTreeMap::from([(from, None)]);
    let mut open = VecDeque::from([from]);
    while let Some(name) = open.pop_front() {
        if name == to {
            let mut path = vec![name];
            while let Some(Some(earlier)) = path.last().and_then(|last| before.get(last)) {
                path.push(earlier);
            }
            path.reverse();
            return Some(path);
        }
        for dependency in wheels
            .get(name)
            .map(|wheel| &wheel.dependencies[..])
            .unwrap_or_default()
        {
            if wheels.contains_key(dependency) && !before.contains_key(dependency) {
                before.insert(dependency, Some(name));
                open.push_back(dependency);
            }
        }
    }
    None
}

fn by_name(lock: &Lock) -> BTreeMap<&Name, &LockedWheel> {
    lock.wheels.iter().map(|wheel| (&wheel.name, wheel)).collect()
}
