// SPDX-License-Identifier: MIT
// Not a standard: stand-ins for what browsers have, for bundles that can't load without them (render.browser_globals). They
// return and never throw, and do nothing: there is no tree, no layout, no user. location is that of the render's
// request, history and storages are its own, empty at its start, however many are open at once. Their presence makes some
// libraries take their browser's path.
'use strict';
const nothing = () => { };
const { define, perRender } = native;

// ---------------------------------------------------------------- location, history, storage

const DEFAULT = 'http://localhost/';
const here = perRender((serial) => new native.own.URL(native.requestUrl(serial) ?? DEFAULT));
class Location {
    assign() { }
    replace() { }
    reload() { }
    toString() { return here().href; }
    get ancestorOrigins() { return []; }
}
for (const part of ['href', 'protocol', 'host', 'hostname', 'port', 'pathname', 'search', 'hash', 'origin'])
    Object.defineProperty(Location.prototype, part, { configurable: true, enumerable: true, get: () => here()[part], set: nothing });
native.tag(Location, 'Location');

class History {
    #own = perRender(() => ({ state: null }));
    get length() { return 1; }
    get state() { return this.#own().state; }
    get scrollRestoration() { return 'auto'; }
    set scrollRestoration(value) { void value; }
    pushState(state) { this.#own().state = state; }
    replaceState(state) { this.#own().state = state; }
    go() { }
    back() { }
    forward() { }
}
native.tag(History, 'History');

class Storage {
    #items = perRender(() => new Map());
    get length() { return this.#items().size; }
    key(index) { return [...this.#items().keys()][index] ?? null; }
    getItem(key) { return this.#items().get(`${key}`) ?? null; }
    setItem(key, value) { this.#items().set(`${key}`, `${value}`); }
    removeItem(key) { this.#items().delete(`${key}`); }
    clear() { this.#items().clear(); }
}
native.tag(Storage, 'Storage');

// ---------------------------------------------------------------- nodes without a tree

class Node extends EventTarget {
    get nodeType() { return 1; }
    get nodeName() { return ''; }
    get parentNode() { return null; }
    get parentElement() { return null; }
    get childNodes() { return []; }
    get children() { return []; }
    get firstChild() { return null; }
    get lastChild() { return null; }
    get nextSibling() { return null; }
    get previousSibling() { return null; }
    get firstElementChild() { return null; }
    get isConnected() { return false; }
    get ownerDocument() { return document; }
    appendChild(child) { return child; }
    insertBefore(child) { return child; }
    removeChild(child) { return child; }
    replaceChild(child, old) { return old; }
    contains() { return false; }
    cloneNode() { return this; }
    getRootNode() { return this; }
    append() { }
    prepend() { }
    before() { }
    after() { }
    remove() { }
    replaceWith() { }
    replaceChildren() { }
    querySelector() { return null; }
    querySelectorAll() { return []; }
    getElementsByTagName() { return []; }
    getElementsByClassName() { return []; }
}
class Element extends Node {
    #name = 'DIV';
    #attributes = new Map();
    constructor(name = 'div') {
        super();
        this.#name = `${name}`.toUpperCase();
        this.textContent = '';
        this.innerHTML = '';
        this.style = Object.assign(Object.create({
            setProperty: nothing, removeProperty: () => '', getPropertyValue: () => '' }), {});
        this.dataset = {};
        this.classList = { add: nothing, remove: nothing, toggle: () => false, contains: () => false, replace: () => false,
            length: 0, value: '' };
    }
    get tagName() { return this.#name; }
    get nodeName() { return this.#name; }
    get localName() { return this.#name.toLowerCase(); }
    get namespaceURI() { return 'http://www.w3.org/1999/xhtml'; }
    get attributes() { return []; }
    get shadowRoot() { return null; }
    get content() { return this; }
    get id() { return this.getAttribute('id') ?? ''; }
    set id(value) { this.setAttribute('id', value); }
    get className() { return this.getAttribute('class') ?? ''; }
    set className(value) { this.setAttribute('class', value); }
    get offsetParent() { return null; }
    getAttribute(name) { return this.#attributes.get(`${name}`.toLowerCase()) ?? null; }
    setAttribute(name, value) { this.#attributes.set(`${name}`.toLowerCase(), `${value}`); }
    hasAttribute(name) { return this.#attributes.has(`${name}`.toLowerCase()); }
    removeAttribute(name) { this.#attributes.delete(`${name}`.toLowerCase()); }
    toggleAttribute() { return false; }
    matches() { return false; }
    closest() { return null; }
    attachShadow() { return new DocumentFragment(); }
    getBoundingClientRect() { return { x: 0, y: 0, top: 0, left: 0, right: 0, bottom: 0, width: 0, height: 0 }; }
    getClientRects() { return []; }
    insertAdjacentHTML() { }
    insertAdjacentElement() { return null; }
    animate() { return { cancel: nothing, finish: nothing, finished: Promise.resolve() }; }
    scrollIntoView() { }
    focus() { }
    blur() { }
    click() { }
}
// No layout: everything is at 0, and of size 0. What is set stays set.
for (const name of ['offsetTop', 'offsetLeft', 'offsetWidth', 'offsetHeight', 'clientTop', 'clientLeft', 'clientWidth',
    'clientHeight', 'scrollTop', 'scrollLeft', 'scrollWidth', 'scrollHeight'])
    Object.defineProperty(Element.prototype, name, { value: 0, writable: true, configurable: true, enumerable: true });
class HTMLElement extends Element { }
class SVGElement extends Element { }
class CharacterData extends Node {
    constructor(data = '') {
        super();
        this.data = this.textContent = this.nodeValue = `${data}`;
    }
}
class Text extends CharacterData { get nodeType() { return 3; } }
class Comment extends CharacterData { get nodeType() { return 8; } }
class DocumentFragment extends Node { get nodeType() { return 11; } }
class ShadowRoot extends DocumentFragment { }
class Document extends Node {
    get nodeType() { return 9; }
    get readyState() { return 'complete'; }
    get visibilityState() { return 'visible'; }
    get hidden() { return false; }
    get compatMode() { return 'CSS1Compat'; }
    get characterSet() { return 'UTF-8'; }
    get contentType() { return 'text/html'; }
    get activeElement() { return null; }
    get currentScript() { return null; }
    get defaultView() { return globalThis; }
    get location() { return globalThis.location; }
    get URL() { return here().href; }
    get baseURI() { return here().href; }
    get documentURI() { return here().href; }
    get domain() { return here().hostname; }
    get referrer() { return ''; }
    get cookie() { return ''; }
    set cookie(value) { void value; }
    get fonts() { return { ready: Promise.resolve(), load: () => Promise.resolve([]), check: () => true, add: nothing }; }
    get scripts() { return []; }
    get styleSheets() { return []; }
    get implementation() { return { createHTMLDocument: () => new Document(), hasFeature: () => true }; }
    createElement(name) { return new (classes.get(`${name}`.toLowerCase()) ?? HTMLElement)(name); }
    createElementNS(space, name) { return new SVGElement(name); }
    createTextNode(data) { return new Text(data); }
    createComment(data) { return new Comment(data); }
    createDocumentFragment() { return new DocumentFragment(); }
    createEvent() { return new Event(''); }
    createRange() {
        return { setStart: nothing, setEnd: nothing, selectNode: nothing, createContextualFragment: () => new DocumentFragment() };
    }
    evaluate() { return { iterateNext: () => null, snapshotLength: 0, snapshotItem: () => null, singleNodeValue: null }; }
    createTreeWalker() { return { nextNode: () => null, currentNode: null }; }
    getElementById() { return null; }
    getElementsByName() { return []; }
    importNode(node) { return node; }
    adoptNode(node) { return node; }
    execCommand() { return false; }
    hasFocus() { return false; }
    write() { }
    open() { }
    close() { }
}
// Element classes by their tags; those of one class only are enough for instanceof
const tags = {
    Anchor: 'a', Body: 'body', Button: 'button', Canvas: 'canvas', Div: 'div', Form: 'form', Head: 'head', Html: 'html',
    IFrame: 'iframe', Image: 'img', Input: 'input', Label: 'label', Link: 'link', Media: '', Audio: 'audio', Video: 'video',
    Meta: 'meta', Option: 'option', Paragraph: 'p', Script: 'script', Select: 'select', Slot: 'slot', Span: 'span',
    Style: 'style', Table: 'table', Template: 'template', TextArea: 'textarea', Title: 'title', Unknown: '', Dialog: 'dialog',
    LI: 'li', UList: 'ul', OList: 'ol', Heading: 'h1', Pre: 'pre', Object: 'object', Embed: 'embed', FieldSet: 'fieldset',
    TableRow: 'tr', TableCell: 'td', TableSection: 'tbody', Details: 'details', Picture: 'picture', Source: 'source', BR: 'br', HR: 'hr',
};
// What pages ask such elements at load: is this or that supported? It is not.
const answers = {
    Canvas: { getContext: () => null, toDataURL: () => 'data:,', toBlob: (done) => { done(null); } },
    Media: { canPlayType: () => '', play: () => Promise.resolve(), pause: nothing, load: nothing },
    Input: { select: nothing, setSelectionRange: nothing, checkValidity: () => true, reportValidity: () => true },
    Form: { submit: nothing, reset: nothing, checkValidity: () => true, reportValidity: () => true },
    Dialog: { show: nothing, showModal: nothing, close: nothing },
};
answers.Audio = answers.Video = answers.Media;
const classes = new Map();
const made = { Node, Element, HTMLElement, SVGElement, CharacterData, Text, Comment, DocumentFragment, ShadowRoot, Document,
    Location, History, Storage };
for (const [name, tag] of Object.entries(tags)) {
    const type = { [`HTML${name}Element`]: class extends HTMLElement { constructor(given = tag || 'div') { super(given); } } };
    Object.assign(type[`HTML${name}Element`].prototype, answers[name]);
    Object.assign(made, type);
    if (tag !== '')
        classes.set(tag, type[`HTML${name}Element`]);
}
made.Image = class Image extends made.HTMLImageElement { constructor() { super('img'); } };
made.Option = class Option extends made.HTMLOptionElement { constructor() { super('option'); } };
made.Audio = class Audio extends made.HTMLAudioElement { constructor() { super('audio'); } };

// ---------------------------------------------------------------- observers and the rest of window

for (const name of ['MutationObserver', 'ResizeObserver', 'IntersectionObserver', 'PerformanceObserver'])
    made[name] = { [name]: class {
        observe() { }
        unobserve() { }
        disconnect() { }
        takeRecords() { return []; }
    } }[name];
class CustomElementRegistry {
    #known = new Map();
    define(name, type) { this.#known.set(name, type); }
    get(name) { return this.#known.get(name); }
    getName() { return null; }
    whenDefined(name) { return Promise.resolve(this.#known.get(name)); }
    upgrade() { }
}
made.CustomElementRegistry = CustomElementRegistry;
class UIEvent extends Event { }
made.UIEvent = UIEvent;
for (const name of ['MouseEvent', 'KeyboardEvent', 'FocusEvent', 'InputEvent', 'TouchEvent', 'PointerEvent', 'PopStateEvent',
    'WheelEvent', 'DragEvent', 'ClipboardEvent', 'CompositionEvent', 'AnimationEvent', 'TransitionEvent', 'HashChangeEvent',
    'StorageEvent', 'ProgressEvent', 'ErrorEvent', 'SubmitEvent', 'BeforeUnloadEvent', 'PageTransitionEvent'])
    made[name] = { [name]: class extends UIEvent { } }[name];
// Classes that bundles extend, instantiate or compare with when they load. None here that would do input or output
// (XMLHttpRequest, WebSocket, Worker): libraries would use them, and wait for ever.
for (const name of ['NodeList', 'HTMLCollection', 'NamedNodeMap', 'DOMTokenList', 'Attr', 'DocumentType', 'Selection', 'Range',
    'CSSStyleDeclaration', 'CSSRule', 'CSSStyleSheet', 'StyleSheet', 'MediaQueryList', 'DOMRect', 'DOMRectReadOnly', 'DOMPoint',
    'DOMMatrix', 'Path2D', 'ImageData', 'FileList', 'DataTransfer'])
    made[name] = { [name]: class { } }[name];
made.DOMParser = class DOMParser { parseFromString() { return new Document(); } };
made.XMLSerializer = class XMLSerializer { serializeToString() { return ''; } };
made.XPathEvaluator = class XPathEvaluator {
    createExpression() { return { evaluate: () => document.evaluate() }; }
    evaluate() { return document.evaluate(); }
};
made.NodeFilter = Object.assign(class NodeFilter { }, { FILTER_ACCEPT: 1, FILTER_REJECT: 2, FILTER_SKIP: 3, SHOW_ALL: 0xffffffff,
    SHOW_ELEMENT: 1, SHOW_TEXT: 4, SHOW_COMMENT: 128 });
['ELEMENT', 'ATTRIBUTE', 'TEXT', 'CDATA_SECTION', 'ENTITY_REFERENCE', 'ENTITY', 'PROCESSING_INSTRUCTION', 'COMMENT', 'DOCUMENT',
    'DOCUMENT_TYPE', 'DOCUMENT_FRAGMENT', 'NOTATION'].forEach((name, i) => {
    for (const holder of [Node, Node.prototype])
        Object.defineProperty(holder, name + '_NODE', { value: i + 1, enumerable: true });
});

for (const [name, value] of Object.entries(made)) {
    native.tag(value, name);
    define(name, value);
}
const html = new made.HTMLHtmlElement('html');
const document = new Document();
Object.assign(document, { documentElement: html, head: new made.HTMLHeadElement('head'), body: new made.HTMLBodyElement('body'),
    title: '' });
const target = new EventTarget();
const values = {
    window: globalThis, document, history: new History(), localStorage: new Storage(),
    sessionStorage: new Storage(), customElements: new CustomElementRegistry(), parent: globalThis, top: globalThis,
    frames: globalThis, frameElement: null, opener: null, closed: false, name: '', length: 0, status: '',
    screen: { width: 1280, height: 800, availWidth: 1280, availHeight: 800, colorDepth: 24, pixelDepth: 24,
        orientation: { type: 'landscape-primary', angle: 0, addEventListener: nothing, removeEventListener: nothing } },
    devicePixelRatio: 1, innerWidth: 1280, innerHeight: 800, outerWidth: 1280, outerHeight: 800, scrollX: 0, scrollY: 0,
    pageXOffset: 0, pageYOffset: 0, screenX: 0, screenY: 0, isSecureContext: true, visualViewport: null,
    // Nothing is drawn, so no frame comes.
    requestAnimationFrame: () => 0, cancelAnimationFrame: nothing, requestIdleCallback: () => 0, cancelIdleCallback: nothing,
    matchMedia: (media) => ({ matches: false, media: `${media}`, onchange: null, addListener: nothing, removeListener: nothing,
        addEventListener: nothing, removeEventListener: nothing, dispatchEvent: () => false }),
    getComputedStyle: () => new Proxy({ getPropertyValue: () => '' }, { get: (own, key) => own[key] ?? '' }),
    getSelection: () => null, alert: nothing, confirm: () => false, prompt: () => null, print: nothing, focus: nothing,
    blur: nothing, scroll: nothing, scrollTo: nothing, scrollBy: nothing, open: () => null, close: nothing, stop: nothing,
    postMessage: nothing, moveTo: nothing, moveBy: nothing, resizeTo: nothing, resizeBy: nothing, find: () => false,
    CSS: { supports: () => false, escape: (text) => `${text}`.replace(/[^\w-]/g, (c) => '\\' + c) },
};
for (const [name, value] of Object.entries(values))
    define(name, value);
// HTML, section 8.10.1: what every browser says, and of the rest that it is not there
const { prototype: ofNavigator } = navigator.constructor;
const said = { appCodeName: 'Mozilla', appName: 'Netscape', appVersion: '5.0', product: 'Gecko', productSub: '20030107',
    platform: '', vendor: '', vendorSub: '', language: 'en-US', languages: Object.freeze(['en-US']), onLine: true,
    cookieEnabled: false, doNotTrack: null, webdriver: false, maxTouchPoints: 0, hardwareConcurrency: 1, pdfViewerEnabled: false,
    plugins: Object.freeze([]), mimeTypes: Object.freeze([]) };
for (const [name, value] of Object.entries(said))
    Object.defineProperty(ofNavigator, name, { get: () => value, enumerable: true, configurable: true });
Object.assign(ofNavigator, { javaEnabled: () => false, sendBeacon: () => false, vibrate: () => false });

native.defineOwn('location', new Location());
for (const name of ['addEventListener', 'removeEventListener', 'dispatchEvent'])
    if (!(name in globalThis))
        define(name, target[name].bind(target));

return {};
