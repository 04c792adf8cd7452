use std::collections::HashMap;

use super::*;
use crate::config::ProcessEnvironment;

/// Files in memory.
#[derive(Default)]
struct Memory(RefCell<HashMap<PathBuf, Vec<u8>>>);

impl Environment for Memory {
    fn variable(&self, _name: &str) -> Option<OsString> {
        None
    }

    fn read_file(&self, path: &Path, _limit: usize) -> io::Result<Vec<u8>> {
        self.0.borrow().get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn has_file(&self, path: &Path) -> bool {
        self.0.borrow().contains_key(path)
    }
}

fn files(text: &str) -> Files {
    let found = Ok(digest(&SHA256, text.as_bytes()).as_ref().into());
    let content = Content { found, limit: 10, modified: None };
    Files(BTreeMap::from([(PathBuf::from("a"), content)]))
}

fn looks(changes: &mut Changes, seen: &[&str]) -> Vec<Change> {
    seen.iter().map(|text| changes.look(files(text))).collect()
}

#[test]
fn change_is_acted_upon_when_it_has_come_to_rest() {
    use Change::{Done, None, UnderWay};
    let mut changes = Changes::since(files("a"));
    assert_eq!(looks(&mut changes, &["a", "a", "a"]), [None; 3]);
    assert_eq!(looks(&mut changes, &["b", "b", "b"]), [UnderWay, UnderWay, Done]);
}

#[test]
fn files_that_keep_changing_are_not_read() {
    let mut changes = Changes::since(files("0"));
    for number in 1..1000 {
        assert_eq!(changes.look(files(&number.to_string())), Change::UnderWay);
    }
    assert_eq!(looks(&mut changes, &["999", "999"]), [Change::UnderWay, Change::Done]);
}

#[test]
fn change_that_is_taken_back_was_none() {
    use Change::{None, UnderWay};
    let mut changes = Changes::since(files("a"));
    let seen = looks(&mut changes, &["b", "b", "a", "b", "b", "a"]);
    assert_eq!(seen, [UnderWay, UnderWay, None, UnderWay, UnderWay, None]);
}

#[test]
fn files_are_those_that_were_asked_for_missing_ones_too() {
    let yaml = "\
public_url: https://mcp.example
authorization_servers:
  corp:
    issuer: https://as.example
    client: {id: gatehouse, secret_file: /secrets/missing}
routes:
  notes: {path: /notes, upstream: 'http://127.0.0.1:9001/', required_scopes: []}
";
    let memory = Memory::default();
    memory.0.borrow_mut().insert("gatehouse.yaml".into(), yaml.into());
    let recorder = Recorder { inner: &memory, files: RefCell::default() };
    assert!(rule_tests::load(Path::new("gatehouse.yaml"), &recorder).is_err());
    let read = recorder.files.into_inner();
    let paths: Vec<_> = read.0.keys().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(paths, ["/secrets/missing", "gatehouse.yaml"]);
    assert_eq!(read.0[Path::new("/secrets/missing")].found, Err(io::ErrorKind::NotFound));
}

#[test]
fn look_sees_contents_and_errors() {
    let folder = std::env::temp_dir().join(format!("gatehouse-watch-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (path, other) = (folder.join("link"), folder.join("other"));
    std::fs::write(&other, "one").unwrap();
    std::os::unix::fs::symlink(&other, &path).unwrap();
    let source = Source::new(path.clone(), Overrides::default(), Box::new(ProcessEnvironment));
    let (_, read) = source.read();
    assert_eq!(source.look(&read), read);
    std::fs::write(folder.join("next"), "one").unwrap();
    std::fs::rename(folder.join("next"), &other).unwrap();
    let touched = source.look(&read);
    assert!(touched.say_the_same_as(&read), "the same content is the same");
    std::fs::write(&other, "two").unwrap();
    let second = source.look(&read);
    assert!(!second.say_the_same_as(&read));
    std::fs::remove_file(&path).unwrap();
    let third = source.look(&read);
    assert!(!third.say_the_same_as(&read) && !third.say_the_same_as(&second));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn file_that_is_written_again_and_again_is_not_at_rest_whatever_a_look_sees() {
    let at = |seconds| {
        let Files(mut files) = files("");
        let modified = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        for content in files.values_mut() {
            content.modified = modified;
        }
        Files(files)
    };
    let mut changes = Changes::since(files("a"));
    for second in 0..10 {
        assert_eq!(changes.look(at(second)), Change::UnderWay);
    }
    assert_eq!(changes.look(at(9)), Change::UnderWay);
    assert_eq!(changes.look(at(9)), Change::Done);
    assert!(changes.have_rested_at(&at(9)) && !changes.have_rested_at(&at(10)));
}
