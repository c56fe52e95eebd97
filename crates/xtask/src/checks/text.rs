//! Rust sources as far as the checks need them: code without its comments and texts, and the words in it.
//!
//! Does not parse Rust. Invariant: line numbers are those of the file.

/// The lines of a source with comments, string literals and character literals blanked out.
pub(crate) fn code_lines(source: &str) -> Vec<String> {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skipped = skipped_len(rest, code.chars().next_back());
        if skipped == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.push(' ');
            code.extend(rest[..skipped].chars().filter(|character| *character == '\n'));
            rest = &rest[skipped..];
        }
    }
    code.lines().map(str::to_owned).collect()
}

/// Length of the comment or literal that `rest` begins with; 0 if it begins with neither.
fn skipped_len(rest: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|character| character.is_alphanumeric() || character == '_');
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |end| end + 2);
    }
    if rest.starts_with('"') {
        return quoted_len(rest, '"');
    }
    if rest.starts_with('r') && !in_word {
        let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
        if rest[1 + hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let begins = hashes + 2;
            return rest[begins..].find(&end).map_or(rest.len(), |at| begins + at + end.len());
        }
    }
    if rest.starts_with('\'') {
        // A lifetime has no quote behind its first character.
        let mut following = rest.chars().skip(1);
        let (first, second) = (following.next(), following.next());
        if first == Some('\\') || second == Some('\'') {
            return quoted_len(rest, '\'');
        }
    }
    0
}

fn quoted_len(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Names, keywords and numbers of a line of code.
pub(crate) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| !character.is_alphanumeric() && character != '_')
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_texts_are_no_code_and_lines_keep_their_numbers() {
        let source =
            "let a = \"f64 \\\" f64\"; // f64\n/* f64\nf64 */ let b: u64 = 'f';\nlet c = r#\"f64\" \"#;\n";
        let lines = code_lines(source);
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| !line.contains("f64")), "{lines:?}");
        assert!(lines[2].contains("let b: u64 ="), "{lines:?}");
    }

    #[test]
    fn a_lifetime_does_not_begin_a_text() {
        assert_eq!(code_lines("fn of<'a>(x: &'a f64) {}"), ["fn of<'a>(x: &'a f64) {}"]);
        assert_eq!(words("x: &'a f64,").collect::<Vec<_>>(), ["x", "a", "f64"]);
    }
}
