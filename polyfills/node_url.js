// SPDX-License-Identifier: MIT
// node:url: the standard's classes, and the older functions over them. parse() takes what the standard's parser does not
// as relative, as Node.js does.
'use strict';
const { domain } = native;
const { URL, URLSearchParams } = native.own;
const slashes = /^([a-z][a-z0-9+.-]*:)?(\/\/)?(?:([^/?#@]*)@)?([^/?#:]*)(?::(\d+))?([^?#]*)(\?[^#]*)?(#.*)?$/i;

function parse(text, parseQuery = false, hostFirst = false) {
    const found = slashes.exec(`${text}`.trim()) ?? [];
    const hasHost = found[2] === '//' && (found[1] !== undefined || hostFirst);
    const host = hasHost ? (found[4] ?? '').toLowerCase() : null;
    const path = hasHost ? found[6] : /^[^?#]*/.exec(`${text}`.trim().slice((found[1] ?? '').length))[0];
    const search = found[7] ?? null;
    const query = search === null ? null : search.slice(1);
    const web = /^(?:https?|ftp|wss?|file):$/i.test(found[1] ?? '');
    const url = {
        protocol: found[1]?.toLowerCase() ?? null, slashes: hasHost ? true : null,
        auth: hasHost && found[3] !== undefined ? decodeURIComponent(found[3]) : null,
        host: host === null ? null : host + (found[5] === undefined ? '' : ':' + found[5]), port: (hasHost && found[5]) || null,
        hostname: host, hash: found[8] ?? null, search,
        query: parseQuery ? native.builtin('node:querystring', '').parse(query ?? '') : query,
        pathname: path || (hasHost && web ? '/' : null), path: null, href: null,
    };
    url.path = url.pathname === null && search === null ? null : (url.pathname ?? '') + (search ?? '');
    url.href = format(url);
    return url;
}
function format(url, options = undefined) {
    if (typeof url === 'string')
        return parse(url).href;
    if (url instanceof URL) {
        const copy = new URL(url);
        if (options?.auth === false)
            copy.username = copy.password = '';
        if (options?.fragment === false)
            copy.hash = '';
        if (options?.search === false)
            copy.search = '';
        return copy.href;
    }
    const protocol = url.protocol ? url.protocol.replace(/:?$/, ':') : '';
    const auth = url.auth ? encodeURIComponent(url.auth).replace(/%3A/i, ':') + '@' : '';
    const host = url.host ?? (url.hostname ? url.hostname + (url.port ? ':' + url.port : '') : null);
    const query = url.search ?? (url.query && typeof url.query === 'object' && Object.keys(url.query).length !== 0
        ? '?' + native.builtin('node:querystring', '').stringify(url.query) : '');
    const search = query && query[0] !== '?' ? '?' + query : query;
    const hash = url.hash && url.hash[0] !== '#' ? '#' + url.hash : url.hash ?? '';
    let pathname = (url.pathname ?? '').replace(/[?#]/g, encodeURIComponent);
    const two = host !== null && (url.slashes || /^(?:https?|ftp|gopher|file|wss?):$/.test(protocol)) ||
        url.slashes;
    if (two && pathname !== '' && pathname[0] !== '/')
        pathname = '/' + pathname;
    return protocol + (two ? '//' : '') + (two || host !== null ? auth + (host ?? '') : '') + pathname + search.replace('#', '%23') + hash;
}
function resolve(from, to) {
    const base = new URL(from, 'resolve://');
    const url = new URL(to, base);
    if (url.protocol !== 'resolve:')
        return url.href;
    const path = /^\//.test(from) || /^\//.test(to) ? url.pathname : url.pathname.slice(1); // both relative: so is this
    return path + url.search + url.hash;
}
function fileURLToPath(url) {
    const from = typeof url === 'string' ? new URL(url) : url;
    if (from.protocol !== 'file:')
        throw Object.assign(new TypeError('The URL must be of scheme file'), { code: 'ERR_INVALID_URL_SCHEME' });
    if (/%2f/i.test(from.pathname))
        throw Object.assign(new TypeError('File URL path must not include encoded / characters'),
            { code: 'ERR_INVALID_FILE_URL_PATH' });
    return decodeURIComponent(from.pathname);
}
function pathToFileURL(path) {
    const url = new URL('file:///');
    url.pathname = native.builtin('node:path', '').resolve(path).replace(/[%\\\n\r\t]/g, encodeURIComponent);
    return url;
}
const exports = {
    URL, URLSearchParams, parse, format, resolve, fileURLToPath, pathToFileURL,
    resolveObject: (from, to) => parse(resolve(from, to)),
    domainToASCII: (host) => domain(`${host}`, false) ?? '',
    domainToUnicode: (host) => domain(`${host}`, true) ?? '',
    urlToHttpOptions: (url) => ({
        protocol: url.protocol, hostname: url.hostname.replace(/^\[|\]$/g, ''), hash: url.hash, search: url.search,
        pathname: url.pathname, path: url.pathname + url.search, href: url.href,
        ...url.port !== '' && { port: Number(url.port) },
        ...(url.username || url.password) && { auth: decodeURIComponent(url.username) + ':' + decodeURIComponent(url.password) },
    }),
};
exports.default = exports;
return exports;
