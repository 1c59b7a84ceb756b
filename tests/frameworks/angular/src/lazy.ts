// SPDX-License-Identifier: MIT
import { Component } from '@angular/core';

@Component({ selector: 'lazy-page', template: `<h1>in a module of its own</h1>` })
export class Lazy {}
