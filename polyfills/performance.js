// SPDX-License-Identifier: MIT
// High Resolution Time, section 7, Performance, whose origin is the process' own, also after a fork; User Timing level 3: marks
// and measures, of which the last 1,000 are kept, for nobody clears them in a server.
'use strict';
{
    const { clockNow, clockOrigin, clone } = native;
    const { DOMException } = native.own;
    const { need } = native.idl;
    const MAKE = Symbol('make');
    const KEPT = 1000;
    let entries = [];

    class PerformanceEntry {
        #name;
        #type;
        #start;
        #duration;
        constructor(key = undefined, name = undefined, type = undefined, start = undefined, duration = undefined) {
            if (key !== MAKE)
                throw new TypeError('Illegal constructor');
            this.#name = name;
            this.#type = type;
            this.#start = start;
            this.#duration = duration;
        }
        get name() { return this.#name; }
        get entryType() { return this.#type; }
        get startTime() { return this.#start; }
        get duration() { return this.#duration; }
        toJSON() { return { name: this.name, entryType: this.entryType, startTime: this.startTime, duration: this.duration }; }
    }
    native.tag(PerformanceEntry, 'PerformanceEntry');
    const detailOf = (detail) => detail === undefined || detail === null ? null
        : typeof detail === 'object' || typeof detail === 'function' || typeof detail === 'symbol' ? clone(detail) : detail;

    class PerformanceMark extends PerformanceEntry {
        #detail;
        constructor(name, options = undefined) {
            need(1, arguments.length, 'PerformanceMark');
            const start = options?.startTime === undefined ? clockNow() : Number(options.startTime);
            if (!(start >= 0))
                throw new TypeError('startTime must be 0 or more');
            super(MAKE, `${name}`, 'mark', start, 0);
            this.#detail = detailOf(options?.detail);
        }
        get detail() { return this.#detail; }
    }
    native.tag(PerformanceMark, 'PerformanceMark');
    class PerformanceMeasure extends PerformanceEntry {
        #detail;
        constructor(key = undefined, name = undefined, start = undefined, duration = undefined, detail = undefined) {
            super(key, name, 'measure', start, duration);
            this.#detail = detail;
        }
        get detail() { return this.#detail; }
    }
    native.tag(PerformanceMeasure, 'PerformanceMeasure');

    const add = (entry) => {
        if (entries === loaded)
            entries = [...entries];
        if (entries.push(entry) > KEPT)
            entries.shift();
        return entry;
    };
    let loaded = null; // those of the bundle's load; a render that adds to them works on a copy
    native.kept.push({
        keep() { loaded = entries; },
        back() { entries = loaded; },
    });
    // User Timing, section 3.1.3, "convert a mark to a timestamp"
    function timeOf(mark) {
        if (typeof mark === 'number') {
            if (mark < 0)
                throw new TypeError('A time must be 0 or more');
            return mark;
        }
        for (let i = entries.length - 1; i >= 0; i--)
            if (entries[i].entryType === 'mark' && entries[i].name === `${mark}`)
                return entries[i].startTime;
        throw new DOMException(`There is no mark "${mark}"`, 'SyntaxError');
    }
    const select = (type, name) => entries.filter((entry) => (type === undefined || entry.entryType === `${type}`) &&
        (name === undefined || entry.name === `${name}`)).sort((a, b) => a.startTime - b.startTime);
    const clear = (type, name) => {
        entries = entries.filter((entry) => entry.entryType !== type || name !== undefined && entry.name !== `${name}`);
    };

    class Performance extends EventTarget {
        constructor(key = undefined) {
            if (key !== MAKE)
                throw new TypeError('Illegal constructor');
            super();
        }
        get timeOrigin() { return clockOrigin(); }
        now() { return clockNow(); }
        toJSON() { return { timeOrigin: clockOrigin() }; }
        mark(name, options = undefined) {
            need(1, arguments.length, 'performance.mark');
            return add(new PerformanceMark(name, options));
        }
        measure(name, from = undefined, to = undefined) {
            need(1, arguments.length, 'performance.measure');
            const options = from !== null && typeof from === 'object' ? from : { start: from ?? undefined, end: to };
            if (options !== from ? false : to !== undefined || options.start === undefined && options.end === undefined &&
                Object.keys(options).length !== 0 || options.start !== undefined && options.end !== undefined &&
                options.duration !== undefined)
                throw new TypeError('start and end, or one of them with duration');
            const end = options.end !== undefined ? timeOf(options.end)
                : options.start !== undefined && options.duration !== undefined
                    ? timeOf(options.start) + Number(options.duration) : clockNow();
            const start = options.start !== undefined ? timeOf(options.start)
                : options.duration !== undefined && options.end !== undefined ? end - Number(options.duration) : 0;
            return add(new PerformanceMeasure(MAKE, `${name}`, start, end - start, detailOf(options.detail)));
        }
        clearMarks(name = undefined) { clear('mark', name); }
        clearMeasures(name = undefined) { clear('measure', name); }
        getEntries() { return select(); }
        getEntriesByType(type) { return select(type); }
        getEntriesByName(name, type = undefined) { return select(type, name); }
    }
    native.tag(Performance, 'Performance');
    for (const type of [Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure])
        native.define(type.name, type);
    native.define('performance', new Performance(MAKE));
}
