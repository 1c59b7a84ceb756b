// SPDX-License-Identifier: MIT
import { Component } from '@angular/core';
import { RouterLink, RouterOutlet } from '@angular/router';

@Component({
  selector: 'app-root',
  imports: [RouterLink, RouterOutlet],
  template: `<nav><a routerLink="/">Start</a> <a routerLink="/list" [queryParams]="{ q: '<&>' }">List</a></nav><router-outlet />`,
})
export class App {}
