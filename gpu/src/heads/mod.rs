//! The heads beside the autoencoder. A head is a folder here, with what it says of a vector, its part of the manifest and the
//! bound it puts on orders, and a row of [`Head`]; saving, loading, scoring and a card follow from the two. What trains it
//! stands in `crate::train`.

pub(crate) mod fat_finger;
mod file;
mod part;
mod size_bound;
pub(crate) mod slippage;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::network::{HeadLayers, WeightsError};
pub(crate) use file::{HeadFault, WeightsFile};
use file::{decoded, encoded};
use part::HeadPart;
pub(crate) use size_bound::{SizeBound, touch};

/// Makes of each row a head: its name in code, its number on a card, its folder, its type there, and what its files called it
/// before. The folder names it everywhere else: its field in [`Heads`], its section of the manifest, its weights file and the
/// layers in it.
macro_rules! heads {
    ($($(#[$doc:meta])* $head:ident = $number:literal in $folder:ident: $model:ident $(, once $former:literal)?;)+) => {
        /// The heads that a model may have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum Head {
            $($(#[$doc])* $head = $number,)+
        }

        impl Head {
            /// All of them, in the order in which a card has them.
            pub const ALL: [Self; [$($number),+].len()] = [$(Self::$head),+];

            /// Whether `key` names the section of a head.
            pub(crate) fn has_section(key: &str) -> bool {
                [$(stringify!($folder) $(, $former)?),+].contains(&key)
            }
        }

        /// The heads of a model.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Heads {
            $($(#[$doc])* pub $folder: Option<$folder::$model>,)+
        }

        /// What a manifest says of its heads.
        #[derive(Debug, Serialize, Deserialize)]
        pub(crate) struct Sections {
            $(#[serde($(alias = $former,)? default, skip_serializing_if = "Option::is_none")]
            $folder: Option<<$folder::$model as HeadPart>::Section>,)+
        }

        impl Heads {
            /// Those that are in `heads`.
            pub(crate) fn only(&self, heads: &[Head]) -> Self {
                Self { $($folder: self.$folder.clone().filter(|_| heads.contains(&Head::$head)),)+ }
            }

            /// The layers of a head; `None` when there is no such head.
            pub(crate) fn layers(&self, head: Head) -> Option<&HeadLayers> {
                match head {
                    $(Head::$head => self.$folder.as_ref().map(HeadPart::layers),)+
                }
            }

            /// Their sections of the manifest, and their weights files.
            ///
            /// # Errors
            /// Weights that the container library refuses.
            pub(crate) fn encode(&self) -> Result<(Sections, Vec<WeightsFile>), WeightsError> {
                let mut files = Vec::new();
                $(let $folder = self.$folder.as_ref().map(|head| encoded(head, stringify!($folder), &mut files)).transpose()?;)+
                Ok((Sections { $($folder,)+ }, files))
            }
        }

        impl Sections {
            /// The first number that cannot be used: where it stands, and what is wrong with it.
            pub(crate) fn fault(&self) -> Option<(String, &'static str)> {
                None$(.or_else(|| self.$folder.as_ref().and_then(<$folder::$model>::fault)))+
            }

            /// The heads, whose weights files `read` gives.
            ///
            /// # Errors
            /// What [`HeadFault`] lists, or what `read` does.
            pub(crate) fn assemble<E: From<HeadFault>>(
                self,
                read: &dyn Fn(&Path) -> Result<Vec<u8>, E>,
            ) -> Result<Heads, E> {
                Ok(Heads { $($folder: self.$folder.map(|section| {
                    let names = [stringify!($folder) $(, $former)?];
                    decoded(section, &names, concat!(stringify!($folder), ".weights"), read)
                }).transpose()?,)+ })
            }
        }
    };
}

heads! {
    /// What large orders pay beyond the touch.
    Slippage = 0 in slippage: SlippageModel;
    /// How likely an order of a size and a price is an error.
    FatFinger = 1 in fat_finger: FatFingerModel, once "surface";
}

/// One of something for each head.
pub(crate) type PerHead<T> = [T; Head::ALL.len()];
