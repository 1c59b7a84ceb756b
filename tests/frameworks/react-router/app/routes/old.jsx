// SPDX-License-Identifier: MIT
import { redirect } from 'react-router';

export const loader = () => redirect('/items/7?from=old', 301);
