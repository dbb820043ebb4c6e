use aws_lc_rs::digest::{SHA256, digest};

use super::migrate::STEPS;
use super::*;

/// A step that has shipped is never changed: databases have it behind them.
#[test]
fn steps_that_have_shipped_stay_as_they_are() {
    let shipped = ["7822424eaec2a078", "5494069be28c6cdd", "9dc04c1ee1953595", "fb4e36c7f11be237", "a7b55458523de40a"];
    let sums: Vec<String> = STEPS
        .iter()
        .map(|step| {
            digest(&SHA256, step.as_bytes()).as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
        })
        .collect();
    assert_eq!(sums, shipped, "add a step, and its sum here; change none");
}

#[test]
fn every_older_schema_becomes_the_newest() {
    let mut newest = Connection::open_in_memory().unwrap();
    migrate(&mut newest).unwrap();
    for from in 0..=STEPS.len() {
        let mut older = Connection::open_in_memory().unwrap();
        for step in &STEPS[..from] {
            older.execute_batch(step).unwrap();
        }
        if from > 0 {
            older
                .execute_batch(&format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {from}"))
                .unwrap();
            older
                .execute_batch(
                    "INSERT INTO account VALUES (1, 'money', 'b', 'o'); INSERT INTO total VALUES (1, 0, 9, 7, 2)",
                )
                .unwrap();
        }
        let migrated = migrate(&mut older).unwrap();
        assert_eq!((migrated.from, migrated.to), (from, STEPS.len()));
        assert_eq!(check(&older).unwrap(), STEPS.len());
        assert_eq!(tables(&older), tables(&newest), "from {from}");
        let rows: i64 = older.query_row("SELECT count(*) FROM total", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, i64::from(from > 0), "from {from}");
    }
}

fn tables(connection: &Connection) -> Vec<String> {
    let mut query = connection.prepare("SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY name").unwrap();
    query.query_map([], |row| row.get(0)).unwrap().map(|sql| sql.unwrap()).collect()
}
