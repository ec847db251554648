//! What the folder of a head says of its place in a model.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::network::HeadLayers;

/// A fact that is not what this build can use: its name in the manifest, what was found, what was wanted.
pub(crate) type Mismatch = (&'static str, String, String);

/// A trained head: layers of the common form, and what makes numbers with a unit of their increments.
pub(crate) trait HeadPart: Sized {
    /// Its section of the manifest.
    type Section: Serialize + DeserializeOwned;

    /// The layers, first to last, each followed by a ReLU.
    fn layers(&self) -> &HeadLayers;

    /// The section, for weights in the file `weights` of this digest.
    fn section(&self, weights: &str, digest: String) -> Self::Section;

    /// File and digest of the weights that a section names.
    fn weights(section: &Self::Section) -> (&str, &str);

    /// The first fact of a section, apart from the weights, that differs from this build's.
    fn mismatch(section: &Self::Section) -> Option<Mismatch>;

    /// The first number of a section that cannot be used: where it stands, and what is wrong with it.
    fn fault(section: &Self::Section) -> Option<(String, &'static str)>;

    /// The head of a section that has been checked.
    ///
    /// # Errors
    /// A name that no symbol has.
    fn assemble(section: Self::Section, layers: HeadLayers) -> Result<Self, String>;
}

/// A mismatch when `found` is not `wanted`.
pub(crate) fn differs(what: &'static str, found: String, wanted: String) -> Option<Mismatch> {
    (found != wanted).then_some((what, found, wanted))
}
