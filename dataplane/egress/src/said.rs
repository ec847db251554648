//! What is worth a line to a person, until somebody asks for it.

/// Lines that wait to be told.
#[derive(Debug, Default)]
pub(crate) struct Said {
    lines: Vec<String>,
    /// What [`Said::once`] took last.
    last: String,
}

impl Said {
    /// Takes a line.
    pub(crate) fn push(&mut self, line: String) {
        self.lines.push(line);
    }

    /// Takes a line, but for one that says again what the last such line said.
    pub(crate) fn once(&mut self, line: String) {
        if self.last != line {
            self.last.clone_from(&line);
            self.lines.push(line);
        }
    }

    /// Takes what somebody else said.
    pub(crate) fn extend(&mut self, lines: Vec<String>) {
        self.lines.extend(lines);
    }

    /// The lines since the last call.
    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_until_something_else_is() {
        let mut said = Said::default();
        ["a", "a", "b", "a"].into_iter().for_each(|line| said.once(line.to_owned()));
        said.push("a".to_owned());
        said.once("a".to_owned());
        assert_eq!(said.take(), ["a", "b", "a", "a"]);
        assert!(said.take().is_empty());
    }
}
