//! Which packages does code import? For code that comes without requirements.
//!
//! [`imported_names`] reads import statements without running or fully parsing anything; [`requirement_for`] knows which package has a
//! module. Whether a module is there already only the interpreter knows.

mod scan;
mod table;

use crate::name::Name;

pub use scan::imported_names;

/// The name of the package to ask for when a module of this top-level name is imported: a well-known one, or else the same name.
/// `None` when no package could have it.
pub fn requirement_for(module: &str) -> Option<Name> {
    let known = table::PACKAGES.binary_search_by(|(name, _)| (*name).cmp(module));
    let name = known.map_or(module, |at| table::PACKAGES[at].1);
    // Module names may start with an underscore, package names may not, and then the two have nothing to do with each other.
    Name::parse(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_in_their_packages() {
        for (module, package) in [
            ("cv2", Some("opencv-python")),
            ("PIL", Some("pillow")),
            ("yaml", Some("pyyaml")),
            ("sklearn", Some("scikit-learn")),
            ("numpy", Some("numpy")),
            ("typing_extensions", Some("typing-extensions")),
            ("_private", None),
            ("ünï", None),
        ] {
            assert_eq!(requirement_for(module).as_ref().map(Name::as_str), package, "{module}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_its_packages_are_normal() {
        assert!(table::PACKAGES.is_sorted_by(|one, next| one.0 < next.0));
        assert!(table::PACKAGES.len() >= 150, "{}", table::PACKAGES.len());
        for (module, package) in table::PACKAGES {
            assert_eq!(Name::parse(package).unwrap().as_str(), *package);
            assert_ne!(
                Name::parse(module).map(|name| name.to_string()).as_deref(),
                Some(*package),
                "{module} says nothing new"
            );
        }
    }
}
