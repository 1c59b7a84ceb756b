// SPDX-License-Identifier: MIT
// Not a standard: bundle.manifest. From Vite's manifest.json, or the ssr-manifest.json that lists files by module, the Link header
// (RFC 8288) that tells browsers what a page's client side loads: entries of every page, and the modules that a render names.
'use strict';
{
    const LINKS_MAX = 32;
    const CACHED_MAX = 1000;
    const { refusal, article } = native;
    const fonts = { woff2: 'font/woff2', woff: 'font/woff', ttf: 'font/ttf', otf: 'font/otf' };
    let manifest = null;
    let base = '/';
    let around = ''; // the template: how it asks for its style sheets
    let cached = new Map(); // modules -> value

    const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

    // A preload counts only if it asks as the document does.
    const crossorigin = (url) => {
        const at = around.indexOf(url);
        const tag = at < 0 ? '' : around.slice(around.lastIndexOf('<', at), around.indexOf('>', at));
        return /\bcrossorigin\b/.test(tag) ? '; crossorigin' : '';
    };

    function linkOf(url) {
        const escaped = encodeURI(url).replace(/%25/g, '%'); // throws where it is no text
        const extension = /\.(\w+)(?:\?|$)/.exec(url)?.[1];
        if (extension === 'js' || extension === 'mjs')
            return `<${escaped}>; rel=modulepreload`;
        if (extension === 'css')
            return `<${escaped}>; rel=preload; as=style${crossorigin(url)}`;
        if (Object.hasOwn(fonts, extension))
            return `<${escaped}>; rel=preload; as=font; type=${fonts[extension]}; crossorigin`;
        return ''; // images and others: not every page shows them
    }

    // Of a module: its style sheets before its script, then what it imports.
    function filesOf(name, files, seen) {
        const entry = Object.hasOwn(manifest, name) ? manifest[name] : undefined;
        if (entry === undefined || seen.has(name))
            return;
        seen.add(name);
        if (Array.isArray(entry)) { // ssr-manifest.json: whole URLs
            for (const url of entry)
                files.add(String(url));
            return;
        }
        for (const file of entry.css ?? [])
            files.add(base + file);
        if (typeof entry.file === 'string')
            files.add(base + entry.file);
        for (const other of entry.imports ?? [])
            filesOf(other, files, seen);
    }

    function valueOf(modules) {
        const files = new Set();
        const seen = new Set();
        for (const [name, entry] of Object.entries(manifest))
            if (entry.isEntry === true && !/-legacy\b/.test(entry.file)) // plugin-legacy: not for who reads Link
                filesOf(name, files, seen);
        for (const module of modules)
            filesOf(module.replace(/^\//, ''), files, seen);
        return [...files].map(linkOf).filter((link) => link !== '').slice(0, LINKS_MAX).join(', ');
    }

    // -> the value of Link; '' where there is nothing to tell.
    const linkHeader = (modules) => {
        if (modules !== undefined && modules !== null &&
            (typeof modules !== 'object' || typeof modules[Symbol.iterator] !== 'function'))
            throw refusal('modules must be a list of modules, not ' + article(modules));
        const names = [...modules ?? []].map(String);
        const key = names.join('\n');
        let value = cached.get(key);
        if (value === undefined) {
            value = valueOf(names);
            if (cached.size >= CACHED_MAX)
                cached = new Map();
            cached.set(key, value);
        }
        return value;
    };

    native.setManifest = (text, root, ...template) => {
        let parsed;
        try {
            parsed = JSON.parse(text);
        } catch (error) {
            throw refusal('bundle.manifest is not JSON: ' + error.message);
        }
        const isEntry = (value) => Array.isArray(value) || isObject(value) && typeof value.file === 'string';
        if (!isObject(parsed) || !Object.values(parsed).every(isEntry))
            throw refusal("bundle.manifest is neither Vite's manifest.json nor its ssr-manifest.json");
        manifest = parsed;
        base = root.endsWith('/') ? root : root + '/';
        around = template.join('');
        native.linkHeader = linkHeader;
    };
}
