//! `telemetry.traces`.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use url::Url;

use super::{
    bounds::{MINUTE, SHORTEST, duration},
    upstream,
};
use crate::config::{
    file::Traces,
    problem::Report,
    settings::{CallerDecides, TracesSettings},
};

/// There is an error, which is reported.
pub(super) struct Reported;

/// The settings, where there is a collector.
pub(super) fn traces(
    file: &Traces,
    report: &mut Report<'_>,
) -> Result<Option<Box<TracesSettings>>, Reported> {
    // Judged in any case: what is wrong is wrong also while there is no collector.
    let headers = file.headers.value().and_then(|headers| upstream::headers(headers, report));
    let timeout = duration(&file.timeout, SHORTEST..=MINUTE, report);
    let rest = headers.zip(timeout);
    let endpoint = file.otlp_endpoint.placed().ok_or(Reported)?;
    let Some(url) = &endpoint.value else {
        let ratio = file.sampling_ratio.placed().filter(|ratio| ratio.is_written);
        if let (Some(ratio), false) = (ratio, endpoint.is_written) {
            let message = "nothing is recorded: `otlp_endpoint` names no collector";
            report.warning(&ratio.place, message);
        }
        return rest.map(|_| None).ok_or(Reported);
    };
    let settings = settings(file, &url.0, rest).ok_or(Reported)?;
    if !settings.headers.is_empty() && is_open(&url.0) {
        let message = "what `headers` holds goes over the network unencrypted; use https";
        report.warning(&endpoint.place, message);
    }
    if let (Some(decides), CallerDecides::Everybody) =
        (file.caller_decides.placed(), settings.caller_decides)
    {
        let message = "any caller can have all its requests recorded, whatever sampling_ratio says";
        report.warning(&decides.place, message);
    }
    Ok(Some(Box::new(settings)))
}

fn settings(
    file: &Traces,
    endpoint: &Url,
    rest: Option<(Headers, Duration)>,
) -> Option<TracesSettings> {
    let ca = file.tls.value()?.ca.value()?.as_ref().map(|file| file.0.clone());
    let (service_name, ratio) = (file.service_name.value()?, file.sampling_ratio.value()?);
    let caller_decides = *file.caller_decides.value()?;
    let (headers, timeout) = rest?;
    Some(TracesSettings {
        otlp_endpoint: with_path(endpoint),
        headers,
        ca,
        timeout,
        service_name: service_name.0.clone(),
        sampling_ratio: ratio.0,
        caller_decides,
    })
}

type Headers = Vec<(HeaderName, HeaderValue)>;

/// Whether what is sent there can be read on the way.
fn is_open(endpoint: &Url) -> bool {
    let is_loopback = match endpoint.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    endpoint.scheme() == "http" && !is_loopback
}

/// OTLP specification, section OTLP/HTTP: where a base URL is configured, signals are below it.
fn with_path(endpoint: &Url) -> Url {
    let mut endpoint = endpoint.clone();
    let path = endpoint.path().trim_end_matches('/').to_owned();
    if !path.ends_with(SIGNAL) {
        endpoint.set_path(&format!("{path}{SIGNAL}"));
    }
    endpoint
}

const SIGNAL: &str = "/v1/traces";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signal_has_its_path_below_the_base() {
        for (written, posted) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("https://otel.example/otlp", "https://otel.example/otlp/v1/traces"),
            ("https://otel.example/otlp/", "https://otel.example/otlp/v1/traces"),
            ("https://otel.example/v1/traces", "https://otel.example/v1/traces"),
            ("https://otel.example/a?key=b", "https://otel.example/a/v1/traces?key=b"),
        ] {
            assert_eq!(with_path(&Url::parse(written).unwrap()).as_str(), posted);
        }
    }

    #[test]
    fn plain_http_is_open_beyond_this_machine() {
        for (url, is) in [
            ("http://127.0.0.1:4318", false),
            ("http://[::1]:4318", false),
            ("http://localhost:4318", false),
            ("http://collector:4318", true),
            ("https://collector:4318", false),
        ] {
            assert_eq!(is_open(&Url::parse(url).unwrap()), is, "{url}");
        }
    }
}
