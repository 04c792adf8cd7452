//! "Did you mean": the known word that is closest to a misspelt one.

/// The closest candidate, unless all are far off: a third of the letters may differ.
pub(super) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    if word.len() > MAX_LENGTH {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, candidate)| distance * 3 <= candidate.len().max(3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Longer words are no misspelt keys, and comparing costs the product of the lengths.
const MAX_LENGTH: usize = 64;

/// Levenshtein's distance: letters to insert, delete or replace.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (index, left) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (cell, right) in row.iter_mut().skip(1).zip(right.chars()) {
            let replaced = diagonal + usize::from(left != right);
            diagonal = *cell;
            before = replaced.min(before + 1).min(diagonal + 1);
            *cell = before;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (left, right, expected) in
            [("", "abc", 3), ("kitten", "sitting", 3), ("same", "same", 0), ("ab", "ba", 2)]
        {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }

    #[test]
    fn only_close_words_are_suggested() {
        let keys = ["upstream", "path", "required_scopes"];
        assert_eq!(closest("upstrem", keys), Some("upstream"));
        assert_eq!(closest("Required-Scopes", keys), Some("required_scopes"));
        assert_eq!(closest("pth", keys), Some("path"));
        assert_eq!(closest("unrelated", keys), None);
    }
}
