//! Messages made of others, by chance but always the same: most of them JSON, many of them read in
//! two ways by somebody.

/// Splitmix64.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// A message with one to three changes.
pub(crate) fn mutated(seeds: &[String], chance: &mut Chance) -> Vec<u8> {
    let mut text = seeds[chance.below(seeds.len())].clone();
    for _ in 0..=chance.below(3) {
        text = match chance.below(8) {
            0..=2 => with_member(&text, chance),
            3..=4 => renamed(&text, chance),
            5 => with_fragment(&text, chance),
            6 => without(&text, chance),
            _ => repeated(&text, chance),
        };
    }
    let mut bytes = text.into_bytes();
    if chance.below(50) == 0 && !bytes.is_empty() {
        let at = chance.below(bytes.len());
        bytes[at] ^= 1 << chance.below(8);
    }
    bytes
}

/// A further member, at the beginning of some object.
fn with_member(text: &str, chance: &mut Chance) -> String {
    let places: Vec<usize> = text.match_indices('{').map(|(at, _)| at + 1).collect();
    if places.is_empty() {
        return text.to_owned();
    }
    let at = places[chance.below(places.len())];
    let is_last = text[at..].trim_start().starts_with('}');
    let name = altered(chance.one(&NAMES), chance);
    let value = chance.one(&VALUES);
    let comma = if is_last { "" } else { "," };
    format!("{}\"{name}\":{value}{comma}{}", &text[..at], &text[at..])
}

/// Another spelling of some member's name.
fn renamed(text: &str, chance: &mut Chance) -> String {
    let name = chance.one(&NAMES);
    let quoted = format!("\"{name}\"");
    let places: Vec<usize> = text.match_indices(&quoted).map(|(at, _)| at).collect();
    if places.is_empty() {
        return text.to_owned();
    }
    let at = places[chance.below(places.len())];
    let altered = altered(name, chance);
    format!("{}\"{altered}\"{}", &text[..at], &text[at + quoted.len()..])
}

/// How some reader might still recognise a name.
fn altered(name: &str, chance: &mut Chance) -> String {
    let (first, rest) = name.split_at(1);
    match chance.below(12) {
        0 => name.to_uppercase(),
        1 => format!("{}{rest}", first.to_uppercase()),
        2 => format!("{name}\\u0000"),
        3 => format!("{name}\\u0000x"),
        4 => format!(" {name}"),
        5 => format!("{name}\\t"),
        6 => format!("\\u{:04x}{rest}", u32::from(first.chars().next().unwrap())),
        7 => format!("{first}\u{200b}{rest}"),
        8 => name.replace('s', "\u{17f}").replace('k', "\u{212a}"),
        9 => name.replace('S', "_s"),
        10 => format!("_{name}"),
        _ => name.to_owned(),
    }
}

fn with_fragment(text: &str, chance: &mut Chance) -> String {
    let at = place(text, chance);
    format!("{}{}{}", &text[..at], chance.one(&FRAGMENTS), &text[at..])
}

fn without(text: &str, chance: &mut Chance) -> String {
    let (from, to) = (place(text, chance), place(text, chance));
    if from.abs_diff(to) > 40 {
        return text.to_owned();
    }
    format!("{}{}", &text[..from.min(to)], &text[from.max(to)..])
}

fn repeated(text: &str, chance: &mut Chance) -> String {
    let (from, to, at) = (place(text, chance), place(text, chance), place(text, chance));
    format!("{}{}{}", &text[..at], &text[from.min(to)..from.max(to)], &text[at..])
}

fn place(text: &str, chance: &mut Chance) -> usize {
    text.floor_char_boundary(chance.below(text.len() + 1))
}

const NAMES: [&str; 17] = [
    "jsonrpc",
    "id",
    "method",
    "params",
    "result",
    "error",
    "name",
    "uri",
    "arguments",
    "ref",
    "type",
    "notifications",
    "resourceSubscriptions",
    "_meta",
    "io.modelcontextprotocol/protocolVersion",
    "progressToken",
    "__proto__",
];
const VALUES: [&str; 12] = [
    r#""delete_note""#,
    r#""tools/call""#,
    r#""2.0""#,
    r#""notes://2""#,
    r#"{"name":"delete_note","uri":"notes://2"}"#,
    r#"{"type":"ref/prompt","name":"x"}"#,
    r#"{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}"#,
    r#"["notes://2"]"#,
    r#"{"resourceSubscriptions":["notes://3"]}"#,
    "{}",
    "null",
    "7",
];
const FRAGMENTS: [&str; 20] = [
    "\"", "\\", "{", "}", "[", "]", ",", ":", " ", "\0", "\u{feff}", "\\u0000", "\\ud800", "/**/",
    "01", "NaN", "1e999", "-", "null", "\u{7f}",
];
