// SPDX-License-Identifier: MIT
import { component$, Resource, useResource$ } from '@builder.io/qwik';
import { later } from '../../../../shared/data.js';

export default component$(() => {
  const slow = useResource$(() => later('slow </script> & <late>', 90));
  const fails = useResource$(async () => {
    await later();
    throw new Error('<failed>');
  });
  return (
    <>
      <Resource value={slow} onPending={() => <i>wait</i>} onResolved={(text) => <p>{text}</p>} />
      <Resource value={fails} onResolved={() => <p>never</p>} onRejected={(error) => <b>{error.message}</b>} />
    </>
  );
});
