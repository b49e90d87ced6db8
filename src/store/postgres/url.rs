//! What the URL of a database may say.

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

/// The parameters of a URL that are understood; another one may be a password under a wrong name.
const PARAMETERS: &[&str] = &[
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// How to connect to the database that a URL names.
///
/// # Errors
/// What is wrong with it, without its password.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, String> {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let name = parameter.split('=').next().unwrap_or(parameter);
        if !PARAMETERS.contains(&name) {
            let known = PARAMETERS.join(", ");
            return Err(format!("unknown parameter {name}, expected one of {known}"));
        }
    }
    let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| error.to_string())?;
    Ok(options
        .application_name("windrow")
        .statement_cache_capacity(200)
        .disable_statement_logging())
}
