// SPDX-License-Identifier: MIT
import { html as serverOnly, render } from '@lit-labs/ssr';
import { collectResult } from '@lit-labs/ssr/lib/render-result.js';
import { LitElement, css, html } from 'lit';
import { classMap } from 'lit/directives/class-map.js';
import { repeat } from 'lit/directives/repeat.js';
import { styleMap } from 'lit/directives/style-map.js';
import { unsafeHTML } from 'lit/directives/unsafe-html.js';
import { hostile, items, later } from '../../shared/data.js';

class ShopItem extends LitElement {
  static properties = { item: { attribute: false }, unit: { reflect: true } };
  static styles = css`b { font-weight: 700 }`;
  constructor() {
    super();
    this.unit = '€ & <¢>';
  }
  render() {
    const { id, name, price, tags } = this.item;
    return html`<i id="item-${id}" data-name=${name}>${name} costs ${price.toFixed(2)} ${this.unit}</i>${tags.map((tag) => html`<b>${tag}</b>`)}<slot></slot>`;
  }
}
customElements.define('shop-item', ShopItem);

const pages = {
  '/': () => html`<h1 class=${classMap({ big: true, small: false })} style=${styleMap({ color: 'red' })}>Home</h1>
    <input .value=${hostile[2]} ?disabled=${true} @click=${() => 1}><textarea .value=${hostile[1]}></textarea>`,
  '/hostile': () => html`${hostile.map((text) => html`<p title=${text}>${text}<a href=${text}>${unsafeHTML('<u>raw</u>')}</a></p>`)}`,
  '/list': () => html`<ul>${repeat(items, (item) => item.id, (item) => html`<li><shop-item .item=${item}>inside</shop-item></li>`)}</ul>`,
  '/waits': async () => html`<p>${await later('late <&>')}</p>`,
};

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    const content = await (pages[pathname] ?? (() => html`<h1>No ${pathname}</h1>`))();
    const page = serverOnly`<!doctype html><html><head><title>${pathname}</title></head><body>${content}</body></html>`;
    return new Response(await collectResult(render(page)), {
      status: pages[pathname] ? 200 : 404,
      headers: { 'content-type': 'text/html; charset=utf-8' },
    });
  },
};
