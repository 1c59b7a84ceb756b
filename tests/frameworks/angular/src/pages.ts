// SPDX-License-Identifier: MIT
import { Component, computed, inject, input, makeStateKey, PendingTasks, REQUEST, RESPONSE_INIT, signal, TransferState } from '@angular/core';
import { CurrencyPipe, DatePipe, JsonPipe } from '@angular/common';
import { DomSanitizer, Meta, Title } from '@angular/platform-browser';
import { hostile, type Item, items, later } from './data';

@Component({
  selector: 'start-page',
  imports: [DatePipe, CurrencyPipe, JsonPipe],
  template: `
    <h1 style="color: red" [class.small]="count() > 3" [class.big]="true">{{ text }}</h1>
    <pre>{{ asked | json }} {{ when | date: 'medium' : 'UTC' }} {{ 1234.5 | currency: 'EUR' }}</pre>
    <label for="count">{{ double() }}</label><input id="count" [value]="hostile[2]" disabled />
    <textarea [value]="hostile[1]"></textarea>
    <div [innerHTML]="raw"></div>
    <button (click)="add()">{{ count() }} times</button>
    @switch (count()) { @case (2) {<i>two</i>} @default {<i>many</i>} }
  `,
  styles: 'h1 { font-weight: 100 }',
})
export class Start {
  hostile = hostile;
  text = hostile[0];
  when = new Date(0);
  count = signal(2);
  double = computed(() => this.count() * 2);
  raw = inject(DomSanitizer).bypassSecurityTrustHtml('<i>raw</i>');
  request = inject(REQUEST);
  asked = [new URL(this.request?.url ?? 'http://localhost/').search, this.request?.headers.get('x-asked')];

  constructor() {
    inject(Title).setTitle(hostile[0]);
    inject(Meta).addTag({ name: 'q', content: hostile[2] });
    inject(TransferState).set(makeStateKey<object>('state'), { text: hostile[1], list: ['<', '\u2028'] });
    const answer = inject(RESPONSE_INIT);
    if (answer) answer.headers = { 'x-page': 'start' };
  }
  add() {
    this.count.update((count) => count + 1);
  }
}

@Component({
  selector: 'hostile-page',
  template: `@for (text of hostile; track $index) {<p [title]="text" [class.odd]="$odd" [attr.data-text]="text">{{ text }}<a [href]="text">{{ $index }}</a></p>}`,
})
export class Hostile {
  hostile = hostile;
}

@Component({
  selector: 'li[list-item]',
  template: `{{ item().name }} costs {{ item().price.toFixed(2) }}@for (tag of item().tags; track tag) {<b>{{ tag }}</b>}`,
  host: { '[id]': '"item-" + item().id', '[attr.data-name]': 'item().name' },
})
export class ListItem {
  item = input.required<Item>();
}

@Component({ selector: 'list-page', imports: [ListItem], template: `<ul>@for (item of items; track item.id) {<li list-item [item]="item"></li>} @empty {<li>none</li>}</ul>` })
export class List {
  items = items;
}

@Component({
  selector: 'waits-page',
  template: `<p>{{ slow() }}</p>@defer (hydrate on interaction) {<p>deferred {{ slow() }}</p>} @placeholder {<i>wait</i>}`,
})
export class Waits {
  slow = signal('wait');
  constructor() {
    inject(PendingTasks).run(async () => this.slow.set(await later('slow </script> & <late>', 90)));
  }
}

@Component({ selector: 'item-page', imports: [JsonPipe], template: `@if (item(); as one) {<pre>{{ one | json }}</pre>} @else {<h1>no item {{ id() }}</h1>}` })
export class ItemPage {
  item = input<Item | null>(null);
  id = input('');
}

@Component({ selector: 'missing-page', template: `<h1>No such page</h1>` })
export class Missing {}
