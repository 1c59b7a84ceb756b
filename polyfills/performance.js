// SPDX-License-Identifier: MIT
// High Resolution Time, section 7, Performance. The origin is the process' own, also after a fork.
// User Timing: mark() and measure() are stubs that return nothing.
'use strict';
{
    const { clockNow, clockOrigin } = native;
    class Performance {
        get timeOrigin() { return clockOrigin(); }
        now() { return clockNow(); }
        toJSON() { return { timeOrigin: clockOrigin() }; }
        mark() { }
        measure() { }
        clearMarks() { }
        clearMeasures() { }
        getEntriesByName() { return []; }
    }
    native.tag(Performance, 'Performance');
    native.define('performance', new Performance());
}
