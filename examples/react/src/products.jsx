// SPDX-License-Identifier: MIT
// Lists and tables of goods.

export function Price({ cents }) {
  return <span className="price">€{(cents / 100).toFixed(2)}</span>;
}

export function Stock({ count }) {
  return count > 0 ? <>{count} left</> : <span className="none">sold out</span>;
}

export function ProductList({ products }) {
  if (products.length === 0) return <p>Nothing found.</p>;
  return (
    <ul>
      {products.map((product) => (
        <li key={product.id}>
          <a href={`/products/${product.id}`}>{product.name}</a>, <Price cents={product.cents} />
        </li>
      ))}
    </ul>
  );
}

function Row({ product }) {
  return (
    <tr>
      <td>
        <a href={`/products/${product.id}`}>{product.name}</a>
      </td>
      <td>{product.group}</td>
      <td className="number">
        <Price cents={product.cents} />
      </td>
      <td className="number">
        <Stock count={product.stock} />
      </td>
    </tr>
  );
}

export function ProductTable({ products }) {
  return (
    <table>
      <thead>
        <tr>
          {['Product', 'Group', 'Price', 'Stock'].map((head) => (
            <th key={head}>{head}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {products.map((product) => (
          <Row key={product.id} product={product} />
        ))}
      </tbody>
    </table>
  );
}
