-- SPDX-License-Identifier: MIT
-- What wrk found, as one line of JSON behind a mark, for wrk.py. Latencies are in microseconds.
-- A script that defines neither request() nor response() leaves wrk's fast path alone.
function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '\n#json {"requests": %d, "duration_us": %d, "bytes": %d, "p50_us": %d, "p99_us": %d, ' ..
        '"failed": %d, "bad_status": %d}\n',
        summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.timeout, errors.status))
end
