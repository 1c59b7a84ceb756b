// SPDX-License-Identifier: MIT
// Console Standard. Values are shown in a short form of what Node.js' util.inspect gives; the
// text goes to ssrd's log.
'use strict';
{
    const DEPTH = 3;
    const ITEMS = 100;
    const TEXT = 10000;
    const NOBODY = '[Object: null prototype]';
    const [DEBUG, LOG, INFO, WARN, ERROR] = [0, 1, 2, 3, 4];
    const sink = native.log;
    const { ownKeys } = Reflect;
    const getProto = Object.getPrototypeOf;
    const ours = /\n +at (?:[^\n]*\()?ssr:[^\n]*/g; // frames of polyfills help nobody
    const identifier = /^[A-Za-z_$][\w$]*$/;

    const custom = Symbol.for('nodejs.util.inspect.custom');
    const escapes = { '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v', '\\': '\\\\' };
    function quote(text) {
        const mark = !text.includes("'") ? "'" : !text.includes('"') ? '"' : !/`|\$\{/.test(text) ? '`' : "'";
        return mark + text.replace(/[\0-\x1f\x7f-\x9f\\']/g, (c) => escapes[c] ?? (c !== "'"
            ? '\\x' + c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0') : mark === c ? "\\'" : c)) + mark;
    }

    function className(object) {
        for (let at = object; at !== null; at = getProto(at)) {
            const own = Object.getOwnPropertyDescriptor(at, 'constructor');
            if (typeof own?.value === 'function' && own.value.name !== '')
                return own.value.name;
        }
        return NOBODY;
    }

    function showError(error, seen, depth) {
        let text = typeof error.stack === 'string' && error.stack !== '' ? error.stack.replace(ours, '')
            : error.name + ': ' + error.message;
        // The stack was written when the error was made; its message may be another since.
        const extra = Object.keys(error).filter((key) => key !== 'cause');
        if (extra.length !== 0)
            text += ' {' + extra.map((key) => '\n  ' + key + ': ' + show(error[key], seen, depth + 1)).join(',')
                + '\n}';
        if (Object.hasOwn(error, 'cause'))
            text += '\n  [cause]: ' + show(error.cause, seen, depth + 1).replaceAll('\n', '\n  ');
        return text;
    }

    const shorten = (items, total) => total > ITEMS
        ? [...items, '... ' + (total - ITEMS) + ' more'] : items;

    function join(open, items, close) {
        if (items.length === 0)
            return open + close;
        const line = items.join(', ');
        return line.length <= 72 && !line.includes('\n') ? open + ' ' + line + ' ' + close
            : open + '\n  ' + items.map((item) => item.replaceAll('\n', '\n  ')).join(',\n  ') + '\n' + close;
    }

    function entries(object, keys, seen, depth) {
        return keys.map((key) => {
            const name = typeof key === 'symbol' ? '[' + String(key) + ']'
                : identifier.test(key) ? key : quote(key);
            const own = Object.getOwnPropertyDescriptor(object, key);
            if (own !== undefined && !('value' in own))
                return name + ': ' + (own.set === undefined ? '[Getter]'
                    : own.get === undefined ? '[Setter]' : '[Getter/Setter]');
            return name + ': ' + show(object[key], seen, depth + 1);
        });
    }

    function showArray(array, name, seen, depth) {
        const items = [];
        for (let i = 0; i < array.length && i < ITEMS; i++) {
            const first = i;
            while (i < array.length && i < ITEMS && !(i in array))
                i++;
            if (i !== first)
                items.push('<' + (i - first) + ' empty item' + (i - first === 1 ? '>' : 's>'));
            if (i < array.length && i < ITEMS)
                items.push(show(array[i], seen, depth + 1));
        }
        return join((name === 'Array' ? '' : name + '(' + array.length + ') ') + '[',
            shorten(items, array.length), ']');
    }

    function showObject(object, seen, depth) {
        if (typeof object[custom] === 'function') {
            const shown = object[custom](DEPTH - depth, {}, inspect);
            if (shown !== object)
                return typeof shown === 'string' ? shown : show(shown, seen, depth);
        }
        const name = className(object);
        if (object instanceof Error)
            return showError(object, seen, depth);
        if (object instanceof Date)
            return Number.isNaN(+object) ? 'Invalid Date' : object.toISOString();
        if (object instanceof RegExp)
            return String(object);
        if (depth > DEPTH)
            return Array.isArray(object) ? '[Array]' : name === NOBODY ? name : '[' + name + ']';
        if (Array.isArray(object) || ArrayBuffer.isView(object) && !(object instanceof DataView))
            return showArray(object, name, seen, depth);
        if (object instanceof Map)
            return join(name + '(' + object.size + ') {', shorten([...object].slice(0, ITEMS)
                .map(([key, value]) => show(key, seen, depth + 1) + ' => ' + show(value, seen, depth + 1)),
            object.size), '}');
        if (object instanceof Set)
            return join(name + '(' + object.size + ') {', shorten([...object].slice(0, ITEMS)
                .map((value) => show(value, seen, depth + 1)), object.size), '}');
        if (object instanceof Promise)
            return 'Promise {}';
        const keys = ownKeys(object).filter((key) =>
            Object.prototype.propertyIsEnumerable.call(object, key));
        return join((name === 'Object' ? '' : name + ' ') + '{',
            shorten(entries(object, keys.slice(0, ITEMS), seen, depth), keys.length), '}');
    }

    function show(value, seen, depth) {
        switch (typeof value) {
        case 'string':
            return quote(value.length > TEXT ? value.slice(0, TEXT) + '...' : value);
        case 'bigint':
            return value + 'n';
        case 'number':
            return Object.is(value, -0) ? '-0' : String(value);
        case 'function': {
            const kind = /^class\b/.test(Function.prototype.toString.call(value)) ? 'class' : 'Function';
            return '[' + kind + (value.name === '' ? ' (anonymous)'
                : (kind === 'class' ? ' ' : ': ') + String(value.name)) + ']';
        }
        case 'object':
            break;
        default:
            return String(value);
        }
        if (value === null)
            return 'null';
        if (seen.includes(value))
            return '[Circular]';
        seen.push(value);
        try {
            return showObject(value, seen, depth);
        } catch {
            return '[' + typeof value + ' that threw when it was shown]'; // a proxy, a hostile getter
        } finally {
            seen.pop();
        }
    }

    const inspect = (value) => show(value, [], 0);
    const plain = (value) => typeof value === 'string' ? value : inspect(value);

    // Does String() say more of it than inspect()? Where somebody has written a toString() for it.
    const speaks = (value) => typeof value.toString === 'function' &&
        !Function.prototype.toString.call(value.toString).includes('[native code]');
    const numeral = (value) => typeof value === 'bigint' ? value + 'n' : Object.is(value, -0) ? '-0' : String(value);
    function json(value) {
        try {
            return JSON.stringify(value);
        } catch {
            return '[Circular]';
        }
    }
    // Console Standard, section 2.2, Formatter, as Node.js' util.format() has it.
    function format(values) {
        if (typeof values[0] !== 'string' || values.length === 1 || !values[0].includes('%'))
            return values.map(plain).join(' ');
        let at = 1;
        const text = values[0].replace(/%([sdifjoOc%])/g, (all, kind) => {
            if (kind === '%')
                return '%';
            if (at >= values.length)
                return all;
            const value = values[at++];
            switch (kind) {
            case 's': return typeof value === 'object' && value !== null ? speaks(value) ? String(value) : inspect(value)
                : typeof value === 'bigint' || typeof value === 'number' ? numeral(value) : String(value);
            case 'd': return typeof value === 'symbol' ? 'NaN' : numeral(typeof value === 'bigint' ? value : Number(value));
            case 'i': return typeof value === 'symbol' ? 'NaN' : numeral(typeof value === 'bigint' ? value : parseInt(value, 10));
            case 'f': return typeof value === 'symbol' ? 'NaN' : numeral(parseFloat(value));
            case 'j': return json(value);
            case 'c': return '';
            default: return inspect(value);
            }
        });
        return [text, ...values.slice(at).map(plain)].join(' ');
    }

    let indent = '';
    const counts = new Map();
    const starts = new Map();
    const { apply } = Reflect, { clear } = Map.prototype; // renders may have changed either by then
    let isCounted = false;
    native.kept.push({
        keep() { indent = ''; },
        back() {
            indent = '';
            if (!isCounted)
                return;
            isCounted = false;
            apply(clear, counts, []);
            apply(clear, starts, []);
        },
    });
    const print = (level, values) => {
        const text = format(values);
        sink(level, indent === '' ? text : indent + text.replaceAll('\n', '\n' + indent));
    };
    const elapsed = (label) => {
        const start = starts.get(String(label));
        return start === undefined ? undefined : (native.clockNow() - start).toFixed(3) + 'ms';
    };

    const console = {
        debug(...values) { print(DEBUG, values); },
        log(...values) { print(LOG, values); },
        info(...values) { print(INFO, values); },
        warn(...values) { print(WARN, values); },
        error(...values) { print(ERROR, values); },
        dir(value) { print(LOG, [inspect(value)]); },
        dirxml(...values) { print(LOG, values); },
        table(value) { print(LOG, [value]); }, // as log: columns are of no use in a log
        trace(...values) {
            const at = {};
            Error.captureStackTrace(at, console.trace);
            print(ERROR, ['Trace: ' + format(values) + at.stack.slice(at.stack.indexOf('\n'))]);
        },
        assert(condition, ...values) {
            if (condition)
                return;
            if (typeof values[0] === 'string')
                values[0] = 'Assertion failed: ' + values[0];
            else
                values.unshift('Assertion failed');
            print(ERROR, values);
        },
        count(label = 'default') {
            const count = (counts.get(String(label)) ?? 0) + 1;
            counts.set(String(label), count);
            isCounted = true;
            print(INFO, [label + ': ' + count]);
        },
        countReset(label = 'default') { counts.delete(String(label)); },
        group(...values) {
            if (values.length !== 0)
                print(LOG, values);
            indent += '  ';
        },
        groupCollapsed(...values) { console.group(...values); },
        groupEnd() { indent = indent.slice(2); },
        time(label = 'default') {
            starts.set(String(label), native.clockNow());
            isCounted = true;
        },
        timeLog(label = 'default', ...values) { print(LOG, [label + ': ' + elapsed(label), ...values]); },
        timeEnd(label = 'default') {
            print(LOG, [label + ': ' + elapsed(label)]);
            starts.delete(String(label));
        },
        clear() { },
    };
    Object.setPrototypeOf(console, {}); // section 1: a namespace, whose prototype is an empty object
    Object.defineProperty(console, Symbol.toStringTag, { value: 'console', configurable: true });
    native.define('console', console);
    native.inspect = inspect;
    native.format = (...values) => format(values);
}
