//! A vault of many notes that are the same each time: words as often as words are in a language,
//! folders, tags, links, front matter, and some notes with a word that is nowhere else.

use std::fs;
use std::io;
use std::path::Path;

/// How many notes, a tenth of them entities, and how many folders they lie in.
pub(crate) const NOTES: usize = 50_000;
const FOLDERS: usize = 500;
/// Different words, and how many a note has on average.
const WORDS: usize = 30_000;
const WORDS_OF_NOTE: usize = 300;

/// The first of these words is in nearly every note, the last hardly anywhere.
pub(crate) struct Vocabulary {
    words: Vec<String>,
    /// How often a word and all before it are met, of the whole.
    sums: Vec<f64>,
}

/// Numbers without a pattern, the same each time (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.roll() >> 11) as usize % most
    }

    /// From 0 to 1.
    fn part(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Vocabulary {
    pub(crate) fn new() -> Vocabulary {
        let syllables = [
            "ka", "to", "mi", "ren", "sol", "ver", "an", "el", "dor", "pi", "lu", "sta", "no",
            "gra", "be", "qui", "fer", "ma", "tri", "os",
        ];
        let mut dice = Dice(7);
        let mut known = std::collections::HashSet::new();
        let mut words = Vec::with_capacity(WORDS);
        while words.len() < WORDS {
            // Frequent words are short.
            let long = 1 + dice.below(1 + (words.len() + 40).ilog10() as usize);
            let word: String = (0..=long).map(|_| syllables[dice.below(20)]).collect();
            if known.insert(word.clone()) {
                words.push(word);
            }
        }
        let mut sum = 0.0;
        let sums = (0..WORDS).map(|rank| {
            sum += 1.0 / (rank + 2) as f64;
            sum
        });
        Vocabulary { sums: sums.collect(), words }
    }

    /// The word of this rank.
    pub(crate) fn word(&self, rank: usize) -> &str {
        &self.words[rank]
    }

    fn any(&self, dice: &mut Dice) -> &str {
        let at = dice.part() * self.sums[WORDS - 1];
        &self.words[self.sums.partition_point(|sum| *sum < at).min(WORDS - 1)]
    }
}

/// Writes the notes into a vault; gives the bytes of their texts.
pub(crate) fn write(vault: &Path, words: &Vocabulary) -> io::Result<u64> {
    let mut dice = Dice(11);
    let mut bytes = 0;
    for number in 0..NOTES {
        let folder = match number % 10 {
            0 => format!("Brain/entities/kind{}", number % (FOLDERS / 10)),
            _ => format!("Notes/{}/{}", number % 20, number % FOLDERS),
        };
        if number < 10 * FOLDERS {
            fs::create_dir_all(vault.join(&folder))?;
        }
        let text = note(number, words, &mut dice);
        bytes += text.len() as u64;
        fs::write(vault.join(folder).join(format!("note-{number}.md")), text)?;
    }
    Ok(bytes)
}

fn note(number: usize, words: &Vocabulary, dice: &mut Dice) -> String {
    let name: Vec<&str> = (0..3).map(|_| words.any(dice)).collect();
    let mut text = format!(
        "---\nname: {} {number}\ntags: [t{}, t{}/below]\n---\n\n# {}\n\n",
        name.join(" "),
        dice.below(200),
        dice.below(50),
        name.join(" ")
    );
    let many = 20 + dice.below(2 * WORDS_OF_NOTE - 40);
    for at in 1..=many {
        text.push_str(words.any(dice));
        text.push_str(match at % 60 {
            0 => ".\n\n",
            20 | 40 => ", ",
            _ => " ",
        });
    }
    text.push_str(&format!("\n\nSee [[note-{}]].\n", dice.below(NOTES)));
    if number % 10_000 == 777 {
        text.push_str("\nXylotypograph.\n");
    }
    text
}
