-- SPDX-License-Identifier: MIT
-- Each request asks for a page that nobody has asked for: wrk … -s unique.lua URL -- '/shop?n=PREFIX'
dofile(os.getenv("SSRD_PERF_LIB") .. "/report.lua")

local before, after
local n = 0

function init(args)
    before = "GET " .. args[1]
    after = " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port .. "\r\n\r\n"
end

function request()
    n = n + 1
    return before .. n .. after
end
