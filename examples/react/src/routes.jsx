// SPDX-License-Identifier: MIT
// Which page a path shows: { status, title, content, cache }, with `streams` if it has parts that load late; or where
// else it is: { status, location }.
import { lazy, Suspense } from 'react';
import { Basket } from './basket.jsx';
import { Price, ProductList, ProductTable, Stock } from './products.jsx';

const Vouchers = lazy(() => import('./vouchers.jsx'));

function Start({ products, note }) {
  return (
    <>
      <p>A shop for rooms in which people read.</p>
      {note === undefined ? null : <blockquote>{note}</blockquote>}
      <h2>New this week</h2>
      <ProductList products={products.slice(0, 5)} />
      <p>
        Not sure? <a href="/vouchers">Give a voucher</a>
      </p>
    </>
  );
}

function Products({ products, query }) {
  const wanted = query.q ?? '';
  const found = products.filter((p) => p.name.toLowerCase().includes(wanted.toLowerCase()));
  return (
    <>
      <form>
        <input name="q" defaultValue={wanted} aria-label="Search" />
      </form>
      {wanted === '' ? null : (
        <p>
          {found.length} found for “{wanted}”
        </p>
      )}
      <ProductList products={found} />
    </>
  );
}

function Product({ product }) {
  return (
    <>
      <dl>
        <dt>Group</dt>
        <dd>{product.group}</dd>
        <dt>Price</dt>
        <dd>
          <Price cents={product.cents} />
        </dd>
        <dt>Stock</dt>
        <dd>
          <Stock count={product.stock} />
        </dd>
      </dl>
      <Basket />
    </>
  );
}

function NotFound({ path }) {
  return (
    <p>
      There is no <code>{path}</code> here. <a href="/">Back to the start</a>
    </p>
  );
}

const ok = (title, content, cache) => ({ status: 200, title, content, cache });

export function route(path, props) {
  if (path === '/') return ok('Welcome', <Start {...props} />);
  if (path === '/products') return ok('Products', <Products {...props} />);
  if (path === '/shop') return ok('Shop', <ProductTable products={props.products} />);
  if (path === '/about') {
    return ok('About', <p>Fern &amp; Co. has sold lamps since 1964.</p>, { ttl: 3600, tags: ['about'] });
  }
  if (path === '/vouchers') {
    const content = (
      <Suspense fallback={<p>One moment …</p>}>
        <Vouchers />
      </Suspense>
    );
    return { ...ok('Vouchers', content), streams: true };
  }
  if (path === '/gifts') return { status: 301, location: '/vouchers' }; // what the page was called once
  const id = /^\/products\/(\d+)$/.exec(path)?.[1];
  const product = id && props.products.find((p) => String(p.id) === id);
  if (product) return ok(product.name, <Product product={product} />);
  return { status: 404, title: 'Not found', content: <NotFound path={path} /> };
}
