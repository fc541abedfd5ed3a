import { Shop } from './shop.jsx';

export const metadata = { title: 'Shop' };

const Layout = ({ children }) => (
  <html lang="en">
    <body>
      <Shop siteKey={process.env.NEXT_PUBLIC_RECSITE_KEY ?? 'pk_'} host={process.env.NEXT_PUBLIC_RECSITE_HOST ?? 'http://127.0.0.1:8000'}>
        {children}
      </Shop>
    </body>
  </html>
);
export default Layout;
