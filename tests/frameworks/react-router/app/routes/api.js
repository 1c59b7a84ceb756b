// SPDX-License-Identifier: MIT
export const loader = ({ request }) => Response.json({ asked: new URL(request.url).search });
