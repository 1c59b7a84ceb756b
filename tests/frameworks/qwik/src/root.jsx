// SPDX-License-Identifier: MIT
import { component$ } from '@builder.io/qwik';
import { QwikCityProvider, RouterOutlet, useDocumentHead } from '@builder.io/qwik-city';

const Head = component$(() => {
  const head = useDocumentHead();
  return (
    <head>
      <meta charset="utf-8" />
      <title>{head.title}</title>
      {head.meta.map((meta) => (
        <meta key={meta.key} {...meta} />
      ))}
    </head>
  );
});

export default component$(() => (
  <QwikCityProvider>
    <Head />
    <body>
      <RouterOutlet />
    </body>
  </QwikCityProvider>
));
