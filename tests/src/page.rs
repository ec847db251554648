//! Pages as their readers meet them: text, and fenced blocks to paste.

/// A fenced block.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// What stands behind the fence: the language, and how it is run.
    pub kind: &'a str,
    /// What stands in it.
    pub text: &'a str,
}

impl<'a> Block<'a> {
    /// Whether it is shell to paste, without what it prints.
    #[must_use]
    pub fn is_shell(&self) -> bool {
        self.kind == "sh" || self.kind.starts_with("sh ")
    }

    /// Why no test runs it, where it says so.
    #[must_use]
    pub fn not_run(&self) -> Option<&'a str> {
        self.kind.strip_prefix("sh not run: ")
    }
}

/// Cuts a page into text and fenced blocks, in order.
///
/// # Panics
/// When a block is not closed.
#[must_use]
pub fn blocks(page: &str) -> Vec<(&str, Option<Block<'_>>)> {
    let (mut out, mut rest) = (Vec::new(), page);
    while let Some((before, fenced)) = rest.split_once("```") {
        let (kind, body) = fenced.split_once('\n').expect("a line behind the fence");
        let (text, after) = body.split_once("```").expect("a closed block");
        out.push((before, Some(Block { kind, text })));
        rest = after;
    }
    out.push((rest, None));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_blocks_come_in_order() {
        let page = "a\n```sh not run: it waits\nb\nc\n```\nd\n```console\n$ e\n```";
        let found = blocks(page);
        let kinds: Vec<_> =
            found.iter().map(|(before, block)| (*before, block.map(|b| (b.kind, b.text)))).collect();
        assert_eq!(
            kinds,
            [
                ("a\n", Some(("sh not run: it waits", "b\nc\n"))),
                ("\nd\n", Some(("console", "$ e\n"))),
                ("", None)
            ]
        );
        assert_eq!(found[0].1.and_then(|block| block.not_run()), Some("it waits"));
        assert!(
            found[0].1.is_some_and(|block| block.is_shell())
                && !found[1].1.is_some_and(|block| block.is_shell())
        );
    }
}
