//! The heads that a model may have: the one place that lists them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::fat_finger::FatFingerModel;
use super::part::{HeadPart, Mismatch, differs};
use super::slippage::SlippageModel;
use crate::network::{HeadLayers, WeightsError, layers_from_bytes, layers_to_bytes};

/// Makes of each row a head: its name in code, its number on a card, its field in [`Heads`], its type, its section of the
/// manifest and its weights file.
macro_rules! heads {
    ($($(#[$doc:meta])* $head:ident = $number:literal, $field:ident: $model:ty, $section:literal, $file:literal;)+) => {
        /// The heads that a model may have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum Head {
            $($(#[$doc])* $head = $number,)+
        }

        impl Head {
            /// All of them, in the order in which a card has them.
            pub const ALL: [Self; [$($number),+].len()] = [$(Self::$head),+];

            /// Its section of the manifest.
            pub(crate) const fn section(self) -> &'static str {
                match self {
                    $(Self::$head => $section,)+
                }
            }
        }

        /// The heads of a model.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Heads {
            $($(#[$doc])* pub $field: Option<$model>,)+
        }

        /// What a manifest says of its heads.
        #[derive(Debug, Serialize, Deserialize)]
        pub(crate) struct Sections {
            $(#[serde(rename = $section, default, skip_serializing_if = "Option::is_none")]
            $field: Option<<$model as HeadPart>::Section>,)+
        }

        impl Heads {
            /// Those that are in `heads`.
            pub(crate) fn only(&self, heads: &[Head]) -> Self {
                Self { $($field: self.$field.clone().filter(|_| heads.contains(&Head::$head)),)+ }
            }

            /// The layers of a head; `None` when there is no such head.
            pub(crate) fn layers(&self, head: Head) -> Option<&HeadLayers> {
                match head {
                    $(Head::$head => self.$field.as_ref().map(HeadPart::layers),)+
                }
            }

            /// Their sections of the manifest, and their weights files.
            ///
            /// # Errors
            /// Weights that the container library refuses.
            pub(crate) fn encode(&self) -> Result<(Sections, Vec<WeightsFile>), WeightsError> {
                let mut files = Vec::new();
                $(let $field = self.$field.as_ref().map(|head| encoded(head, $file, &mut files)).transpose()?;)+
                Ok((Sections { $($field,)+ }, files))
            }
        }

        impl Sections {
            /// The first number that cannot be used: where it stands, and what is wrong with it.
            pub(crate) fn fault(&self) -> Option<(String, &'static str)> {
                None$(.or_else(|| self.$field.as_ref().and_then(<$model>::fault)))+
            }

            /// The heads, whose weights files `read` gives.
            ///
            /// # Errors
            /// What [`HeadFault`] lists, or what `read` does.
            pub(crate) fn assemble<E: From<HeadFault>>(
                self,
                read: &dyn Fn(&Path) -> Result<Vec<u8>, E>,
            ) -> Result<Heads, E> {
                Ok(Heads { $($field: self.$field.map(|section| decoded(section, $file, concat!($section, ".weights"), read)).transpose()?,)+ })
            }
        }
    };
}

heads! {
    /// What large orders pay beyond the touch.
    Slippage = 0, slippage: SlippageModel, "slippage", "slippage.safetensors";
    /// How likely an order of a size and a price is an error.
    FatFinger = 1, fat_finger: FatFingerModel, "surface", "surface.safetensors";
}

/// One of something for each head.
pub(crate) type PerHead<T> = [T; Head::ALL.len()];

/// A weights file: its name in the model's folder, and what it holds.
pub(crate) type WeightsFile = (&'static str, Vec<u8>);

/// Why the heads of a manifest are refused.
#[derive(Debug)]
pub(crate) enum HeadFault {
    /// A fact of the manifest is not what this build can use.
    Manifest(Mismatch),
    /// A fact of the weights file is not what the manifest says.
    File(&'static str, Mismatch),
    /// The weights are not this head's.
    Weights(&'static str, WeightsError),
    /// A name that no symbol has.
    Symbol(String),
}

fn encoded<H: HeadPart>(
    head: &H,
    file: &'static str,
    files: &mut Vec<WeightsFile>,
) -> Result<H::Section, WeightsError> {
    let bytes = layers_to_bytes(head.layers(), &H::SHAPE)?;
    let section = head.section(file, blake3::hash(&bytes).to_string());
    files.push((file, bytes));
    Ok(section)
}

fn decoded<H: HeadPart, E: From<HeadFault>>(
    section: H::Section,
    file: &'static str,
    weights_key: &'static str,
    read: &dyn Fn(&Path) -> Result<Vec<u8>, E>,
) -> Result<H, E> {
    let (named, wanted) = H::weights(&section);
    let wrong_file = differs(weights_key, named.to_owned(), file.to_owned());
    if let Some(mismatch) = wrong_file.or_else(|| H::mismatch(&section)) {
        return Err(HeadFault::Manifest(mismatch).into());
    }
    let bytes = read(Path::new(file))?;
    let found = blake3::hash(&bytes).to_string();
    if found != wanted {
        return Err(HeadFault::File(file, ("blake3 digest", found, wanted.to_owned())).into());
    }
    let layers = layers_from_bytes(&bytes, &H::SHAPE).map_err(|fault| HeadFault::Weights(file, fault))?;
    H::assemble(section, layers).map_err(|name| HeadFault::Symbol(name).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::{random_fat_finger, random_slippage};

    fn two() -> Heads {
        let mut heads = Heads::default();
        let Heads { slippage, fat_finger, .. } = &mut heads;
        (*slippage, *fat_finger) = (Some(random_slippage(3)), Some(random_fat_finger(3)));
        heads
    }

    #[test]
    fn weights_survive_their_file_bit_for_bit_and_no_head_takes_anothers() {
        let heads = two();
        let (_, files) = heads.encode().unwrap();
        assert_eq!(files, heads.encode().unwrap().1);
        assert_eq!(
            files.iter().map(|file| file.0).collect::<Vec<_>>(),
            ["slippage.safetensors", "surface.safetensors"]
        );
        let layers = layers_from_bytes(&files[0].1, &SlippageModel::SHAPE).unwrap();
        assert_eq!(Some(&layers), heads.layers(Head::Slippage));
        let error = layers_from_bytes(&files[0].1, &FatFingerModel::SHAPE).unwrap_err().to_string();
        assert_eq!(error, "tensor surface.0.weight: not found, wanted shape [32, 26]");
    }

    #[test]
    fn heads_that_are_not_asked_for_are_left_out() {
        let heads = two();
        let left = |asked: &[Head]| -> Vec<Head> {
            let left = heads.only(asked);
            Head::ALL.into_iter().filter(|head| left.layers(*head).is_some()).collect()
        };
        assert_eq!(left(&[Head::FatFinger]), [Head::FatFinger]);
        assert_eq!(left(&[]), []);
        assert_eq!(heads.only(&Head::ALL), heads);
    }
}
