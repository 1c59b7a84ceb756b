// SPDX-License-Identifier: MIT
import { createQwikCity } from '@builder.io/qwik-city/middleware/cloudflare-pages';
import qwikCityPlan from '@qwik-city-plan';
import { manifest } from '@qwik-client-manifest';
import render from './entry.ssr.jsx';

export default { fetch: createQwikCity({ render, qwikCityPlan, manifest }) };
