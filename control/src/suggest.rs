//! "Did you mean": the nearest of a list of known names.

/// The known name nearest to `found`, when it is near enough to be a slip of the keyboard: an edit distance of at most
/// a third of its length, one at least.
pub(crate) fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let folded = found.to_ascii_lowercase().replace('-', "_");
    let allowed = (folded.chars().count() / 3).max(1);
    known
        .iter()
        .map(|name| (distance(&folded, name), *name))
        .filter(|(d, _)| *d <= allowed)
        .min()
        .map(|(_, n)| n)
}

/// The same for names in which capitals count: as they are written, however they were asked for.
pub(crate) fn nearest_whatever_case<'a>(found: &str, known: &'a [String]) -> Option<&'a str> {
    let folded: Vec<String> = known.iter().map(|name| name.to_ascii_lowercase().replace('-', "_")).collect();
    let near = nearest(found, &folded.iter().map(String::as_str).collect::<Vec<_>>())?;
    folded.iter().position(|name| name == near).map(|at| known[at].as_str())
}

/// `, did you mean ...?` or nothing, ready to be appended to a message.
pub(crate) fn did_you_mean(found: &str, known: &[&str]) -> String {
    nearest(found, known).map_or_else(String::new, |name| format!(", did you mean `{name}`?"))
}

/// Edits (insert, delete, replace, swap of neighbours) from `a` to `b`: the optimal string alignment distance.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_textbook() {
        for (a, b, d) in
            [("kitten", "sitting", 3), ("", "abc", 3), ("ab", "ba", 1), ("abc", "abc", 0), ("ca", "abc", 3)]
        {
            assert_eq!(distance(a, b), d, "{a} {b}");
        }
    }

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["lease_ms", "backend", "model_dir"];
        assert_eq!(nearest("lease_mss", &known), Some("lease_ms"));
        assert_eq!(nearest("lease-ms", &known), Some("lease_ms"));
        assert_eq!(nearest("Backend", &known), Some("backend"));
        assert_eq!(nearest("colour", &known), None);
    }
}
