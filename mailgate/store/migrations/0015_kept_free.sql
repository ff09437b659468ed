-- Kept free for a step that comes from elsewhere; replaced when that is here.
SELECT 1;
