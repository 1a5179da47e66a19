//! The handbook: each page's «?» opens its part, without a way out of the program; its pictures are
//! those that the browser tests take.

use crate::common::TestApp;
use crate::common::browser::{Browser, add_account};
use fieldworkd::domain::role::Role;
use fieldworkd::simulation::Scenario;

#[tokio::test]
async fn each_page_opens_its_part_of_the_handbook() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 10), &[]).await;
    add_account(&app, "qian", Role::Operator).await;
    let qian = Browser::signed_in(&app, "qian").await;
    for (page, help) in [
        ("/home", "handbook#daily"),
        ("/setup", "handbook#programmes"),
        ("/inbox", "handbook#inbox"),
        ("/holidays", "handbook#calendar"),
        ("/supervision", "handbook#supervision"),
    ] {
        let shown = qian.get(page).await.2;
        assert!(shown.contains(&format!("href=\"/help/{help}\"")), "{page}: {shown}");
        let (document, anchor) = help.split_once('#').unwrap();
        let part = qian.get(&format!("/help/{document}")).await;
        assert!(part.0 == 200 && part.2.contains(&format!("<a id=\"{anchor}\"></a>")), "{help}");
        assert!(!part.2.contains("href=\"http"), "{help}: a way out of the program");
    }
    assert_eq!(qian.get("/help").await.1, "/help/handbook");
    assert_eq!(qian.get("/help/nothing").await.0, 404);
    assert_eq!(qian.get("/help/..%2FREADME").await.0, 404);
    // Its pictures and the applicants' guide need no account; the handbook does.
    let picture = app.http.get(format!("{}/help/pictures/home", app.base)).send().await.unwrap();
    assert_eq!(picture.headers()["content-type"], "image/webp");
    assert_eq!(app.get(&format!("{}/help/pictures/none", app.base)).await.0, 404);
    let guide = app.get(&format!("{}/applicant-guide", app.base)).await;
    assert!(guide.0 == 200 && guide.1.contains("申报单位说明"), "{guide:?}");
    let signed_out = app.get(&format!("{}/help/handbook", app.base)).await;
    assert!(!signed_out.1.contains("运营手册"), "{signed_out:?}");
}

/// A picture that no test takes would grow old.
#[test]
fn every_picture_is_taken_by_a_browser_test() {
    let plays: String = std::fs::read_dir("tests/external")
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap_or_default())
        .collect();
    let map = plays.split("const HANDBOOK = {").nth(1).unwrap().split("};").next().unwrap();
    let taken: Vec<(&str, &str)> = map
        .split(',')
        .filter_map(|pair| pair.trim().split_once(": "))
        .map(|(look, picture)| (look.trim_matches('"'), picture.trim_matches('"')))
        .collect();
    for (look, picture) in &taken {
        assert!(
            plays.contains(&format!("\"{look}\")")) || plays.contains(&format!("\"{look}\"]")),
            "{look} is not looked at, so that {picture} is not taken"
        );
    }
    for file in std::fs::read_dir("docs/zh/pictures").unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_taken = taken.iter().any(|(_, picture)| *picture == name)
            || plays.contains(&format!("/{name}.webp"));
        assert!(is_taken, "{name}");
        let size = std::fs::metadata(&path).unwrap().len();
        assert!((4_000..150_000).contains(&size), "{name}: {size} bytes");
    }
}
