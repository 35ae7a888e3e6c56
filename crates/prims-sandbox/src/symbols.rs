//! What a module defines, as its dynamic linker sees it.

use crate::transform::{ExportKind, ModuleInfo};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use wasmparser::{ElementItems, ElementKind, ExternalKind, Operator, Parser, Payload};

/// Exported functions that also stand in the module's own table segments, with their table index (relative to the table base in a
/// side module). C compares function pointers, so such a function must keep the one address it has.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct TablePositions(HashMap<String, u32>);

impl TablePositions {
    /// Reads them off a module that was validated.
    pub(crate) fn of(wasm: &[u8]) -> Result<TablePositions, wasmparser::BinaryReaderError> {
        let (mut exports, mut positions) = (vec![], HashMap::new());
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.kind == ExternalKind::Func {
                            exports.push((export.name.to_owned(), export.index));
                        }
                    }
                }
                Payload::ElementSection(section) => {
                    for element in section {
                        let element = element?;
                        let ElementKind::Active { offset_expr, .. } = element.kind else {
                            continue;
                        };
                        let ElementItems::Functions(functions) = element.items else {
                            continue;
                        };
                        // The base is what a global adds, so only constants count.
                        let mut offset = 0u32;
                        for operator in offset_expr.get_operators_reader() {
                            if let Operator::I32Const { value } = operator? {
                                offset = offset.wrapping_add(value.cast_unsigned());
                            }
                        }
                        for (k, function) in functions.into_iter().enumerate() {
                            positions.entry(function?).or_insert(offset.wrapping_add(k as u32));
                        }
                    }
                }
                _ => {}
            }
        }
        let known = |(name, function)| Some((name, *positions.get(&function)?));
        Ok(TablePositions(exports.into_iter().filter_map(known).collect()))
    }
}

/// Symbols by name.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    /// Functions, with their position in the module's own table segments if they have one.
    pub(crate) functions: HashMap<String, Option<u32>>,
    /// Addresses of data, relative to the memory base in a side module.
    pub(crate) data: HashMap<String, u32>,
}

impl Symbols {
    pub(crate) fn of(info: &ModuleInfo, positions: &TablePositions) -> Symbols {
        let mut symbols = Symbols::default();
        for export in &info.exports {
            match export.kind {
                ExportKind::Function(_) => {
                    let position = positions.0.get(&export.name).copied();
                    symbols.functions.insert(export.name.clone(), position);
                }
                ExportKind::Data(address) => {
                    symbols.data.insert(export.name.clone(), address);
                }
                _ => {}
            }
        }
        symbols
    }
}
