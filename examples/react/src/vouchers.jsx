// SPDX-License-Identifier: MIT
// A page that few visit: a file of its own for browsers, which load it with this page alone.
import { Basket } from './basket.jsx';
import { Price } from './products.jsx';

export default function Vouchers() {
  return (
    <>
      <p>
        A voucher of <Price cents={5000} />, sent by post the same day.
      </p>
      <Basket />
    </>
  );
}
