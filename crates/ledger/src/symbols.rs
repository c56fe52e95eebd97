//! The words of an installation and their numbers.
//!
//! Knows nothing of what a word names.
//! Invariant: a number stands for one word for ever; 0 is the empty word, new words get the next number.

use std::sync::Arc;

use hashbrown::HashMap;
use model::{Symbol, Text};

/// Numbers words, and knows the word behind each number.
///
/// Before it numbers anything new, a table has to know every word of the log: from a checkpoint and the log behind it,
/// or from the whole log.
#[derive(Debug, Clone)]
pub struct SymbolTable {
    /// With holes while a log is read, as a log mentions words in another order than they were numbered in.
    words: Vec<Option<Text>>,
    numbers: HashMap<Text, Symbol>,
    empty: Text,
}

/// A number stands for two words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the word number {number} is {word:?} in one place and another word elsewhere: put the log back from your backup"
)]
pub struct SymbolError {
    /// The word that does not fit.
    pub word: String,
    /// Its number.
    pub number: u32,
}

impl Default for SymbolTable {
    fn default() -> Self {
        let empty: Text = Arc::from("");
        Self {
            words: vec![Some(Arc::clone(&empty))],
            numbers: HashMap::from([(Arc::clone(&empty), Symbol::EMPTY)]),
            empty,
        }
    }
}

impl SymbolTable {
    /// Knows the empty word alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of a word, a new one if it has none yet.
    #[must_use]
    pub fn intern(&mut self, word: &str) -> Symbol {
        if let Some(known) = self.numbers.get(word) {
            return *known;
        }
        // Four thousand million different words would fill the memory of any machine long before this saturates.
        let number = Symbol(u32::try_from(self.words.len()).unwrap_or(u32::MAX));
        let text: Text = Arc::from(word);
        self.words.push(Some(Arc::clone(&text)));
        self.numbers.insert(text, number);
        number
    }

    /// The number of a word, if it has one.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<Symbol> {
        self.numbers.get(word).copied()
    }

    /// The word behind a number; the empty word for a number that was never given.
    #[must_use]
    pub fn word(&self, symbol: Symbol) -> &Text {
        self.words.get(symbol.0 as usize).and_then(Option::as_ref).unwrap_or(&self.empty)
    }

    /// Takes over a number that a log or checkpoint gave, in any order.
    ///
    /// # Errors
    /// The number stands for another word, or the word has another number.
    pub fn define(&mut self, symbol: Symbol, word: &str) -> Result<(), SymbolError> {
        let slot = symbol.0 as usize;
        let wrong = || SymbolError { word: word.to_owned(), number: symbol.0 };
        match (self.words.get(slot).and_then(Option::as_ref), self.numbers.get(word)) {
            (Some(known), _) if **known == *word => return Ok(()),
            (None, None) => {}
            (Some(_), _) | (_, Some(_)) => return Err(wrong()),
        }
        if slot >= self.words.len() {
            self.words.resize(slot + 1, None);
        }
        let text: Text = Arc::from(word);
        self.words[slot] = Some(Arc::clone(&text));
        self.numbers.insert(text, symbol);
        Ok(())
    }

    /// All words with their numbers, in the order of the numbers, the empty word first.
    pub fn words(&self) -> impl Iterator<Item = (Symbol, &Text)> {
        (0..).map(Symbol).zip(&self.words).filter_map(|(symbol, word)| Some((symbol, word.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_numbered_by_first_mention() {
        let mut table = SymbolTable::new();
        assert_eq!(table.intern(""), Symbol::EMPTY);
        assert_eq!(table.intern("spring"), Symbol(1));
        assert_eq!(table.intern("autumn"), Symbol(2));
        assert_eq!(table.intern("spring"), Symbol(1));
        assert_eq!(&**table.word(Symbol(2)), "autumn");
        assert_eq!(&**table.word(Symbol(99)), "");
    }

    #[test]
    fn a_number_for_another_word_is_refused() {
        let mut table = SymbolTable::new();
        table.define(Symbol(3), "spring").unwrap();
        table.define(Symbol(1), "autumn").unwrap();
        table.define(Symbol(3), "spring").unwrap();
        assert!(table.define(Symbol(3), "summer").is_err());
        assert!(table.define(Symbol(2), "spring").is_err(), "has a number already");
        assert_eq!(table.intern("winter"), Symbol(4));
        let words: Vec<_> = table.words().map(|(symbol, word)| (symbol.0, word.to_string())).collect();
        let expected = [(0, ""), (1, "autumn"), (3, "spring"), (4, "winter")];
        assert_eq!(words, expected.map(|(number, word)| (number, word.to_owned())));
    }
}
