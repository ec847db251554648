//! Why something went wrong, for people.

use std::error::Error;

/// The chain of causes on one line, each said once: a cause often repeats in the text above it.
#[must_use]
pub fn one_line(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    let chain = std::iter::successors(Some(error), |&error| error.source());
    for cause in chain.map(|cause| cause.to_string().replace('\n', " ")) {
        if !line.contains(&cause) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&cause);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[derive(Debug, thiserror::Error)]
    enum Told {
        #[error("the disk\nis full")]
        Disk,
        #[error("cannot be kept: {0}")]
        Said(#[source] Box<Told>),
        #[error("nothing was changed")]
        Unsaid(#[source] Box<Told>),
    }

    #[test]
    fn every_cause_is_said_once_whether_or_not_the_one_above_says_it() {
        let said = Told::Said(Box::new(Told::Disk));
        assert_eq!(one_line(&Told::Disk), "the disk is full");
        assert_eq!(one_line(&Told::Unsaid(Box::new(Told::Disk))), "nothing was changed: the disk is full");
        assert_eq!(one_line(&said).matches("is full").count(), 1);
        assert_eq!(one_line(&Told::Unsaid(Box::new(said))).matches("is full").count(), 1);
    }
}
